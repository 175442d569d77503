//! What a repository holds, as a registry looks it up: by links only, so that nobody gets what belongs to others.

use aws_sdk_s3::operation::get_object::GetObjectError;
use moorage_domain::{Digest, RepositoryName, TagName};

use crate::{Storage, StorageError, error::unavailable, key::StorageKey};

/// The longest link, in bytes: a SHA-512 digest.
const LINK_LENGTH: i64 = 135;

impl Storage {
    /// What a tag points to.
    pub async fn tag(&self, repository: &RepositoryName, tag: &TagName) -> Result<Option<Digest>, StorageError> {
        let key = self.key(StorageKey::TagLink(repository, tag));
        let object = match self.client.get_object().bucket(&*self.bucket).key(&key).send().await {
            Ok(object) => object,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => return Ok(None),
            Err(error) => return Err(unavailable(&error)),
        };
        let malformed = || StorageError::Unavailable(format!("{key} holds no digest"));
        if object.content_length().is_none_or(|length| length > LINK_LENGTH) {
            return Err(malformed());
        }
        let body = object.body.collect().await.map_err(|error| StorageError::Unavailable(error.to_string()))?;
        let bytes = body.into_bytes();
        let digest = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
        digest.map(Some).ok_or_else(malformed)
    }

    /// Whether a manifest belongs to a repository; its bytes may be missing.
    pub async fn links_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StorageError> {
        Ok(self.length(&self.key(StorageKey::RevisionLink(repository, digest))).await?.is_some())
    }

    /// Whether a blob belongs to a repository; its bytes may be missing.
    pub async fn links_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StorageError> {
        Ok(self.length(&self.key(StorageKey::LayerLink(repository, digest))).await?.is_some())
    }
}
