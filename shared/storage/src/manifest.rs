//! Manifests: small, whole in memory, stored exactly as they were received.

use aws_sdk_s3::{operation::get_object::GetObjectError, primitives::ByteStream};
use bytes::Bytes;
use moorage_domain::{Digest, MediaType, manifest::MAX_MANIFEST_SIZE};

use crate::{Storage, StorageError, error::unavailable, key::StorageKey};

impl Storage {
    /// A manifest's bytes, if the bucket has them and they are sound.
    pub async fn manifest(&self, digest: &Digest) -> Result<Option<Bytes>, StorageError> {
        let get = self.client.get_object().bucket(&*self.bucket).key(self.key(StorageKey::Blob(digest)));
        let object = match get.send().await {
            Ok(object) => object,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => return Ok(None),
            Err(error) => return Err(unavailable(&error)),
        };
        let length = object.content_length().and_then(|length| usize::try_from(length).ok());
        if length.is_none_or(|length| length > MAX_MANIFEST_SIZE) {
            return Ok(None);
        }
        let body = object.body.collect().await.map_err(|error| StorageError::Unavailable(error.to_string()))?;
        let bytes = body.into_bytes();
        Ok((Digest::of(digest.algorithm(), &bytes) == *digest).then_some(bytes))
    }

    /// Stores a manifest's bytes, unless they are there; tells whether they were not. Its media type becomes the
    /// object's `Content-Type`.
    pub async fn put_manifest(
        &self,
        digest: &Digest,
        media_type: MediaType,
        bytes: Bytes,
    ) -> Result<bool, StorageError> {
        if Digest::of(digest.algorithm(), &bytes) != *digest {
            return Err(StorageError::DigestMismatch(digest.clone()));
        }
        let key = self.key(StorageKey::Blob(digest));
        let put = self.client.put_object().bucket(&*self.bucket).key(&key).content_type(media_type.as_str());
        let written = put.if_none_match("*").body(ByteStream::from(bytes)).send().await;
        self.settle(&key, written).await
    }
}
