//! Blobs: verified before they exist. Small ones are one request; large ones are an [`Upload`](crate::Upload).

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use moorage_domain::Digest;

use crate::{Room, Storage, StorageError, key::StorageKey, part::part_size};

impl Storage {
    /// The length of a blob, if the bucket has it.
    pub async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StorageError> {
        self.length(&self.key(StorageKey::Blob(digest))).await
    }

    /// Whether a blob of `size` bytes is stored as an [`Upload`](crate::Upload).
    pub fn is_large(size: u64) -> bool {
        size > part_size(size)
    }

    /// Stores a blob whole, if its bytes have the right digest. One that somebody else stored meanwhile is left as it
    /// is.
    pub async fn put_blob(&self, digest: &Digest, bytes: Bytes, room: Room) -> Result<(), StorageError> {
        if Digest::of(digest.algorithm(), &bytes) != *digest {
            return Err(StorageError::DigestMismatch(digest.clone()));
        }
        let key = self.key(StorageKey::Blob(digest));
        let put = self.client.put_object().bucket(&*self.bucket).key(&key);
        let put = put.if_none_match("*").body(ByteStream::from(bytes));
        // The body was hashed just now, and a CRC goes with it: signing it would hash it once more.
        let written = put.customize().disable_payload_signing().send().await;
        drop(room);
        self.settle(&key, written).await.map(|_| ())
    }
}
