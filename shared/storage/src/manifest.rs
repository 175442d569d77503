//! Manifests: small, whole in memory, stored exactly as they were received.

use aws_sdk_s3::{operation::get_object::GetObjectError, primitives::ByteStream};
use bytes::Bytes;
use moorage_domain::{Digest, MediaType, manifest::MAX_MANIFEST_SIZE};

use crate::{Present, Storage, StorageError, error::unavailable, key::StorageKey};

/// What the bucket has of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// Its bytes, which have its digest.
    Sound(Bytes),
    /// Something else.
    Damaged,
    /// Nothing.
    Missing,
}

impl Storage {
    /// A manifest as the bucket has it.
    pub async fn manifest(&self, digest: &Digest) -> Result<Stored, StorageError> {
        let get = self.client.get_object().bucket(&*self.bucket).key(self.key(StorageKey::Blob(digest)));
        let object = match get.send().await {
            Ok(object) => object,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => {
                return Ok(Stored::Missing);
            }
            Err(error) => return Err(unavailable(&error)),
        };
        let length = object.content_length().and_then(|length| usize::try_from(length).ok());
        if length.is_none_or(|length| length > MAX_MANIFEST_SIZE) {
            return Ok(Stored::Damaged);
        }
        let body = object.body.collect().await.map_err(|error| StorageError::Unavailable(error.to_string()))?;
        let bytes = body.into_bytes();
        let sound = Digest::of(digest.algorithm(), &bytes) == *digest;
        Ok(if sound { Stored::Sound(bytes) } else { Stored::Damaged })
    }

    /// Stores a manifest's bytes; tells whether they were not there. Its media type becomes the object's `Content-Type`.
    pub async fn put_manifest(
        &self,
        digest: &Digest,
        media_type: MediaType,
        bytes: Bytes,
        present: Present,
    ) -> Result<bool, StorageError> {
        if Digest::of(digest.algorithm(), &bytes) != *digest {
            return Err(StorageError::DigestMismatch(digest.clone()));
        }
        let key = self.key(StorageKey::Blob(digest));
        let put = self.client.put_object().bucket(&*self.bucket).key(&key).content_type(media_type.as_str());
        let put = put.set_if_none_match(present.if_none_match()).body(ByteStream::from(bytes));
        self.settle(&key, put.send().await).await
    }
}
