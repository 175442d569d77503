//! URLs by which clients fetch content from S3 themselves.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use moorage_domain::{MediaType, Proven, SecretString};

use crate::{Storage, StorageError, error::failed, key::StorageKey};

/// How long a URL works: as long as a stock registry's. A download that has begun may take longer. One that was signed
/// with a role's credentials dies with them.
const LIFETIME: Duration = Duration::from_secs(20 * 60);

/// What a URL is for: S3 refuses every other method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`, with or without a range.
    Get,
    /// `HEAD`.
    Head,
}

impl Storage {
    /// A URL of content, made without asking S3. Whoever has it may read: it is a secret. `media_type` is what S3 is to
    /// announce; without one it announces what the object was stored with.
    pub async fn presign(
        &self,
        content: &Proven,
        method: Method,
        media_type: Option<MediaType>,
    ) -> Result<SecretString, StorageError> {
        let config = PresigningConfig::expires_in(LIFETIME);
        let config = config.map_err(|error| StorageError::Unavailable(error.to_string()))?;
        let key = self.key(StorageKey::Blob(content.digest()));
        let media_type = media_type.map(|media_type| media_type.as_str().to_owned());
        let request = match method {
            Method::Get => {
                let get = self.client.get_object().bucket(&*self.bucket).key(key);
                get.set_response_content_type(media_type).presigned(config).await.map_err(failed)?
            }
            Method::Head => {
                let head = self.client.head_object().bucket(&*self.bucket).key(key);
                head.set_response_content_type(media_type).presigned(config).await.map_err(failed)?
            }
        };
        Ok(request.uri().to_owned().into())
    }
}
