//! Manifests: small, whole in memory, stored exactly as they were received.

use aws_sdk_s3::{operation::get_object::GetObjectError, primitives::ByteStream};
use bytes::Bytes;
use moorage_domain::{Digest, MediaType, Proven, manifest::MAX_MANIFEST_SIZE};

use crate::{
    Present, Storage, StorageError, Verified,
    error::{broken_off, failed},
    key::StorageKey,
};

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
    /// A manifest as the bucket has it, or another document of its size: an image's config.
    pub async fn manifest(&self, manifest: &Proven) -> Result<Stored, StorageError> {
        self.read_manifest(manifest.digest()).await
    }

    /// A manifest as the bucket has it, whoever it belongs to: for the operator's own work, whose results no tenant sees.
    pub async fn manifest_of_anybody(&self, digest: &Digest) -> Result<Stored, StorageError> {
        self.read_manifest(digest).await
    }

    async fn read_manifest(&self, digest: &Digest) -> Result<Stored, StorageError> {
        let get = self.client.get_object().bucket(&*self.bucket).key(self.key(StorageKey::Blob(digest)));
        let object = match get.send().await {
            Ok(object) => object,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => {
                return Ok(Stored::Missing);
            }
            Err(error) => return Err(failed(error)),
        };
        let length = object.content_length().and_then(|length| usize::try_from(length).ok());
        if length.is_none_or(|length| length > MAX_MANIFEST_SIZE) {
            return Ok(Stored::Damaged);
        }
        let body = object.body.collect().await.map_err(|error| broken_off(&error))?;
        let bytes = body.into_bytes();
        let sound = Digest::of(digest.algorithm(), &bytes) == *digest;
        Ok(if sound { Stored::Sound(bytes) } else { Stored::Damaged })
    }

    /// Stores a manifest's bytes, unless the bucket has them. Its media type becomes the object's `Content-Type`.
    pub async fn put_manifest(
        &self,
        manifest: &Verified,
        media_type: MediaType,
        present: Present,
    ) -> Result<(), StorageError> {
        let key = self.key(StorageKey::Blob(manifest.proven.digest()));
        let put = |present: Present| {
            let put = self.client.put_object().bucket(&*self.bucket).key(&key).content_type(media_type.as_str());
            put.set_if_none_match(present.if_none_match()).body(ByteStream::from(manifest.bytes.clone())).send()
        };
        let is_new = self.settle(&key, put(present).await).await?;
        if !is_new && self.manifest(&manifest.proven).await? == Stored::Damaged {
            put(Present::Replace).await.map_err(failed)?;
        }
        Ok(())
    }
}
