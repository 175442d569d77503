//! Blobs: verified before they exist. Small ones are one request; large ones are an [`Upload`](crate::Upload).

use std::sync::Arc;

use aws_sdk_s3::{operation::get_object::GetObjectError, primitives::ByteStream};
use bytes::Bytes;
use moorage_domain::{Digest, Hasher, Owner, Proven};

use crate::{
    MemoryPermit, Storage, StorageError,
    error::{broken_off, failed},
    key::StorageKey,
    part::PIECE,
};

/// What to do with an object of the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Present {
    /// Leave it: its content is given by its key.
    Keep,
    /// Replace it: it is known to be damaged.
    Replace,
}

impl Present {
    pub(crate) fn if_none_match(self) -> Option<String> {
        (self == Self::Keep).then(|| "*".to_owned())
    }
}

/// Content whose bytes are at hand, and have their digest.
#[derive(Debug)]
pub struct Verified {
    pub(crate) proven: Proven,
    pub(crate) bytes: Bytes,
}

impl Verified {
    /// Hashes what a repository's registry has sent.
    pub fn new(owner: &Arc<Owner>, digest: &Digest, bytes: Bytes) -> Result<Self, StorageError> {
        let proven = Proven::of(owner, digest, &bytes);
        proven.map(|proven| Self { proven, bytes }).ok_or_else(|| StorageError::DigestMismatch(digest.clone()))
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// That the repository may have it.
    pub fn proven(&self) -> &Proven {
        &self.proven
    }
}

impl Storage {
    /// The length of a blob, if the bucket has it.
    pub async fn blob_size(&self, blob: &Proven) -> Result<Option<u64>, StorageError> {
        self.length(&self.key(StorageKey::Blob(blob.digest()))).await
    }

    /// Whether a blob of `size` bytes is stored as an [`Upload`](crate::Upload).
    pub fn is_large(size: u64) -> bool {
        size > PIECE
    }

    /// Whether the bucket's bytes of a blob have its digest: reads all of them, a few at a time.
    pub async fn is_sound(&self, blob: &Proven) -> Result<bool, StorageError> {
        let digest = blob.digest();
        let get = self.client.get_object().bucket(&*self.bucket).key(self.key(StorageKey::Blob(digest)));
        let mut object = match get.send().await {
            Ok(object) => object,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => return Ok(false),
            Err(error) => return Err(failed(error)),
        };
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(bytes) = object.body.try_next().await.map_err(|error| broken_off(&error))? {
            hasher.update(&bytes);
        }
        Ok(hasher.finish() == *digest)
    }

    /// Stores a blob whole, unless the bucket has it. An object of its key and another length is damaged, and replaced.
    pub async fn put_blob(&self, blob: Verified, permit: MemoryPermit, present: Present) -> Result<(), StorageError> {
        let (key, length) = (self.key(StorageKey::Blob(blob.proven.digest())), blob.bytes.len() as u64);
        let put = |present: Present| {
            let put = self.client.put_object().bucket(&*self.bucket).key(&key);
            let put = put.set_if_none_match(present.if_none_match()).body(ByteStream::from(blob.bytes.clone()));
            // The body was hashed just now, and a CRC goes with it: signing it would hash it once more.
            put.customize().disable_payload_signing().send()
        };
        let is_new = self.settle(&key, put(present).await).await?;
        if !is_new && self.length(&key).await? != Some(length) {
            put(Present::Replace).await.map_err(failed)?;
        }
        drop(permit);
        Ok(())
    }
}
