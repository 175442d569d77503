//! Blobs: streamed through a bounded window of memory, verified before they exist.

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use moorage_domain::{Digest, Hasher};
use tokio::{sync::OwnedSemaphorePermit, task::JoinSet};

use crate::{Storage, StorageError, error::unavailable, key::StorageKey, part::part_size};

/// Parts of one blob that upload while the next one fills. Two hide the latency of S3 behind the source's.
const PARTS_IN_FLIGHT: usize = 2;

/// Why a blob was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError<E> {
    /// Its source failed.
    #[error(transparent)]
    Source(E),
    /// The bucket failed, or refused the content.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Storage {
    /// The length of a blob, if the bucket has it.
    pub async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StorageError> {
        self.length(&self.key(StorageKey::Blob(digest))).await
    }

    /// Stores a blob of `size` bytes from `source`. The object exists only after all of its bytes came and had the
    /// right digest; a failure leaves nothing behind. A blob that somebody else stored meanwhile is left as it is.
    pub async fn store_blob<S, E>(&self, digest: &Digest, size: u64, source: S) -> Result<(), StoreError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Send,
    {
        let part = part_size(size);
        if !self.fits(part.min(size)) {
            return Err(StorageError::TooLarge { digest: digest.clone(), size }.into());
        }
        let mut reader =
            Reader { source: std::pin::pin!(source), hasher: Hasher::new(digest.algorithm()), rest: Bytes::new() };
        if size <= part {
            self.store_whole(digest, size, &mut reader).await
        } else {
            self.store_parts(digest, size, &mut reader).await
        }
    }

    async fn store_whole<S, E>(&self, digest: &Digest, size: u64, reader: &mut Reader<S>) -> Result<(), StoreError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let _room = self.reserve(size).await;
        let bytes = reader.take(size, digest, 0, size).await?;
        reader.verify(digest, size).await?;
        let key = self.key(StorageKey::Blob(digest));
        let put = self.client.put_object().bucket(&*self.bucket).key(&key);
        let put = put.if_none_match("*").body(ByteStream::from(bytes));
        // The body was hashed just now, and a CRC goes with it: signing it would hash it once more.
        let written = put.customize().disable_payload_signing().send().await;
        self.settle(&key, written).await?;
        Ok(())
    }

    async fn store_parts<S, E>(&self, digest: &Digest, size: u64, reader: &mut Reader<S>) -> Result<(), StoreError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let create =
            self.client.create_multipart_upload().bucket(&*self.bucket).key(self.key(StorageKey::Blob(digest)));
        // S3 refuses parts with a checksum that the upload was not created with.
        let created =
            create.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.map_err(|error| unavailable(&error))?;
        let upload = created.upload_id.ok_or_else(|| StorageError::Unavailable("no upload id".into()))?;
        let result = match self.upload_parts(digest, size, reader, &upload).await {
            Ok(parts) => self.complete(digest, size, &upload, parts).await.map_err(StoreError::from),
            Err(error) => Err(error),
        };
        if !matches!(result, Ok(true)) {
            self.abort(digest, &upload).await;
        }
        result.map(|_| ())
    }

    async fn upload_parts<S, E>(
        &self,
        digest: &Digest,
        size: u64,
        reader: &mut Reader<S>,
        upload: &str,
    ) -> Result<Vec<CompletedPart>, StoreError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let (part, mut parts, mut uploads) = (part_size(size), Vec::new(), JoinSet::new());
        let mut offset = 0;
        for number in 1.. {
            if offset == size {
                break;
            }
            let length = part.min(size - offset);
            let room = self.reserve(length).await;
            let bytes = reader.take(length, digest, offset, size).await?;
            offset += length;
            if uploads.len() == PARTS_IN_FLIGHT {
                parts.extend(joined(uploads.join_next().await)?);
            }
            uploads.spawn(self.clone().upload_part(
                self.key(StorageKey::Blob(digest)),
                upload.to_owned(),
                number,
                bytes,
                room,
            ));
        }
        reader.verify(digest, size).await?;
        while let Some(part) = joined(uploads.join_next().await)? {
            parts.push(part);
        }
        parts.sort_unstable_by_key(CompletedPart::part_number);
        Ok(parts)
    }

    async fn upload_part(
        self,
        key: String,
        upload: String,
        number: i32,
        bytes: Bytes,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<CompletedPart, StorageError> {
        let request = self.client.upload_part().bucket(&*self.bucket).key(key).upload_id(upload).part_number(number);
        let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32).body(ByteStream::from(bytes));
        let uploaded =
            request.customize().disable_payload_signing().send().await.map_err(|error| unavailable(&error))?;
        drop(room);
        let part = CompletedPart::builder().part_number(number).set_e_tag(uploaded.e_tag);
        Ok(part.set_checksum_crc32(uploaded.checksum_crc32).build())
    }

    /// Makes the parts an object; tells whether it is ours.
    async fn complete(
        &self,
        digest: &Digest,
        size: u64,
        upload: &str,
        parts: Vec<CompletedPart>,
    ) -> Result<bool, StorageError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let key = self.key(StorageKey::Blob(digest));
        let request = self.client.complete_multipart_upload().bucket(&*self.bucket).key(&key).upload_id(upload);
        let request = request.multipart_upload(parts).mpu_object_size(i64::try_from(size).unwrap_or(i64::MAX));
        self.settle(&key, request.if_none_match("*").send().await).await
    }

    /// Gives an upload up. Where that fails too, the bucket's lifecycle rule does it within days.
    async fn abort(&self, digest: &Digest, upload: &str) {
        let request = self.client.abort_multipart_upload().bucket(&*self.bucket);
        let aborted = request.key(self.key(StorageKey::Blob(digest))).upload_id(upload).send().await;
        if let Err(error) = aborted {
            tracing::warn!(blob = %digest, error = %unavailable(&error), "could not abort a multipart upload");
        }
    }
}

fn joined(
    part: Option<Result<Result<CompletedPart, StorageError>, tokio::task::JoinError>>,
) -> Result<Option<CompletedPart>, StorageError> {
    match part {
        None => Ok(None),
        Some(Ok(part)) => part.map(Some),
        Some(Err(error)) => Err(StorageError::Unavailable(format!("a part's upload ended: {error}"))),
    }
}

/// Reads a source in pieces of exact length, hashing them.
struct Reader<S> {
    source: S,
    hasher: Hasher,
    /// What the last chunk held beyond the last piece.
    rest: Bytes,
}

impl<S, E> Reader<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// The next `length` bytes, of which `offset` to `size` were expected.
    async fn take(&mut self, length: u64, digest: &Digest, offset: u64, size: u64) -> Result<Bytes, StoreError<E>> {
        let length = usize::try_from(length).map_err(|_| StorageError::TooLarge { digest: digest.clone(), size })?;
        let mut piece = BytesMut::with_capacity(length);
        while piece.len() < length {
            if self.rest.is_empty() {
                let Some(chunk) = self.source.next().await else {
                    let actual = offset + piece.len() as u64;
                    return Err(StorageError::LengthMismatch { digest: digest.clone(), expected: size, actual }.into());
                };
                self.rest = chunk.map_err(StoreError::Source)?;
            }
            let chunk = self.rest.split_to(self.rest.len().min(length - piece.len()));
            self.hasher.update(&chunk);
            piece.extend_from_slice(&chunk);
        }
        Ok(piece.freeze())
    }

    /// Checks that the source has ended and that what came has the digest.
    async fn verify(&mut self, digest: &Digest, size: u64) -> Result<(), StoreError<E>> {
        while self.rest.is_empty() {
            match self.source.next().await {
                Some(chunk) => self.rest = chunk.map_err(StoreError::Source)?,
                None if self.hasher.clone().finish() == *digest => return Ok(()),
                None => return Err(StorageError::DigestMismatch(digest.clone()).into()),
            }
        }
        let actual = size + self.rest.len() as u64;
        Err(StorageError::LengthMismatch { digest: digest.clone(), expected: size, actual }.into())
    }
}
