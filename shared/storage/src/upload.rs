//! Large blobs: multipart uploads that can be left and taken up again, by anybody.

use std::{collections::VecDeque, sync::Arc};

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Part},
};
use bytes::Bytes;
use moorage_domain::{Checkpoint, Digest, Hasher, Owner, Proven, digest::HashState};
use tokio_util::task::AbortOnDropHandle;

use crate::{MemoryPermit, Present, Storage, StorageError, error::failed, key::StorageKey, part::part_size};

/// A blob of which the bucket has the first parts. The object exists only after [`Upload::verify`] and
/// [`Upload::complete`].
#[derive(Debug)]
pub struct Upload {
    storage: Storage,
    digest: Digest,
    size: u64,
    id: String,
    part_size: u64,
    /// Of everything that was pushed.
    hasher: Hasher,
    pushed: u64,
    /// Parts on their way, in their order.
    flying: VecDeque<Flying>,
    /// Parts that arrived, without a gap.
    landed: Vec<CompletedPart>,
    checkpoint: Checkpoint,
}

#[derive(Debug)]
struct Flying {
    part: AbortOnDropHandle<Result<CompletedPart, StorageError>>,
    /// Where this part ends, and the hash up to there.
    end: u64,
    hash_state: HashState,
}

impl Storage {
    /// Begins the upload of a blob of `size` bytes.
    pub async fn begin_upload(&self, digest: &Digest, size: u64) -> Result<Upload, StorageError> {
        let create = self.client.create_multipart_upload().bucket(&*self.bucket);
        // S3 refuses parts with a checksum that the upload was not created with.
        let create = create.key(self.key(StorageKey::Blob(digest))).checksum_algorithm(ChecksumAlgorithm::Crc32);
        let created = create.send().await.map_err(failed)?;
        let upload_id = created.upload_id.ok_or_else(|| StorageError::Unavailable("no upload id".into()))?;
        let hasher = Hasher::new(digest.algorithm());
        let hash_state = hasher.state();
        let checkpoint = Checkpoint { upload_id, part_size: part_size(size), offset: 0, hash_state, parts: no_parts() };
        Ok(self.upload(digest, size, checkpoint, hasher, Vec::new()))
    }

    /// Takes up an upload of a blob of `size` bytes where it was left; nothing if the bucket no longer has what the
    /// checkpoint says, or if the checkpoint cannot be read.
    pub async fn resume_upload(
        &self,
        digest: &Digest,
        size: u64,
        checkpoint: Checkpoint,
    ) -> Result<Option<Upload>, StorageError> {
        let Some(hasher) = Hasher::resume(digest.algorithm(), &checkpoint.hash_state) else { return Ok(None) };
        if checkpoint.part_size != part_size(size) || checkpoint.offset > size {
            return Ok(None);
        }
        let Some(listed) = self.list_parts(digest, &checkpoint.upload_id).await? else { return Ok(None) };
        let mut landed = Vec::new();
        let (mut offset, mut parts) = (0, no_parts());
        // There may be more: parts that arrived after the checkpoint was written. They come again.
        for (number, part) in (1..).zip(&listed) {
            if offset == checkpoint.offset {
                break;
            }
            let length = checkpoint.part_size.min(size - offset);
            if part.part_number() != Some(number)
                || part.size().and_then(|size| u64::try_from(size).ok()) != Some(length)
            {
                return Ok(None);
            }
            offset += length;
            parts = next_parts(&parts, part.e_tag());
            let completed = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag.clone());
            landed.push(completed.set_checksum_crc32(part.checksum_crc32.clone()).build());
        }
        let is_same = offset == checkpoint.offset && parts == checkpoint.parts;
        Ok(is_same.then(|| self.upload(digest, size, checkpoint, hasher, landed)))
    }

    /// Gives an upload up, if it is still there.
    pub async fn abort_upload(&self, digest: &Digest, upload_id: &str) -> Result<(), StorageError> {
        self.abort_key(&self.key(StorageKey::Blob(digest)), upload_id).await
    }

    pub(crate) async fn abort_key(&self, key: &str, upload_id: &str) -> Result<(), StorageError> {
        let abort = self.client.abort_multipart_upload().bucket(&*self.bucket).key(key);
        match abort.upload_id(upload_id).send().await {
            Err(error) if !is_gone(&error) => Err(failed(error)),
            _ => Ok(()),
        }
    }

    fn upload(
        &self,
        digest: &Digest,
        size: u64,
        checkpoint: Checkpoint,
        hasher: Hasher,
        landed: Vec<CompletedPart>,
    ) -> Upload {
        Upload {
            storage: self.clone(),
            digest: digest.clone(),
            size,
            id: checkpoint.upload_id.clone(),
            part_size: checkpoint.part_size,
            hasher,
            pushed: checkpoint.offset,
            flying: VecDeque::new(),
            landed,
            checkpoint,
        }
    }

    /// The parts that an upload has, in their order; nothing if there is no such upload.
    async fn list_parts(&self, digest: &Digest, upload_id: &str) -> Result<Option<Vec<Part>>, StorageError> {
        let (mut parts, mut marker) = (Vec::new(), None);
        loop {
            let list = self.client.list_parts().bucket(&*self.bucket).key(self.key(StorageKey::Blob(digest)));
            let page = match list.upload_id(upload_id).set_part_number_marker(marker).send().await {
                Ok(page) => page,
                Err(error) if is_gone(&error) => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            parts.extend(page.parts.unwrap_or_default());
            marker = page.next_part_number_marker;
            if page.is_truncated != Some(true) || marker.is_none() {
                return Ok(Some(parts));
            }
        }
    }

    async fn upload_part(
        self,
        key: String,
        upload_id: String,
        number: i32,
        bytes: Bytes,
        permit: Option<MemoryPermit>,
    ) -> Result<CompletedPart, StorageError> {
        let request = self.client.upload_part().bucket(&*self.bucket).key(key).upload_id(upload_id);
        let request = request.part_number(number).checksum_algorithm(ChecksumAlgorithm::Crc32);
        let request = request.body(ByteStream::from(bytes)).customize().disable_payload_signing();
        let uploaded = request.send().await.map_err(failed)?;
        drop(permit);
        let part = CompletedPart::builder().part_number(number).set_e_tag(uploaded.e_tag);
        Ok(part.set_checksum_crc32(uploaded.checksum_crc32).build())
    }
}

impl Upload {
    /// How much of the blob the bucket has for sure: the next one who takes the upload up goes on from there.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// How much of the blob was hashed and sent on its way, in bytes.
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// The ranges that are still to be pushed, in their order.
    pub fn missing(&self) -> impl Iterator<Item = std::ops::Range<u64>> + use<> {
        let (size, length) = (self.size, self.part_size);
        let mut next = self.pushed;
        std::iter::from_fn(move || {
            let range = next..size.min(next + length);
            next = range.end;
            (!range.is_empty()).then_some(range)
        })
    }

    /// Hashes the next part and sends it on its way. `permit` is given back when S3 has it.
    ///
    /// Without a permit of its own the part counts to the caller's, which is for two parts: then one at a time is on its
    /// way.
    pub async fn push(&mut self, bytes: Bytes, permit: Option<MemoryPermit>) -> Result<(), StorageError> {
        let expected = self.part_size.min(self.size - self.pushed);
        if bytes.len() as u64 != expected {
            let (digest, actual) = (self.digest.clone(), self.pushed + bytes.len() as u64);
            return Err(StorageError::LengthMismatch { digest, expected: self.size, actual });
        }
        self.hasher.update(&bytes);
        self.pushed += expected;
        let number = self.landed.len() + self.flying.len() + 1;
        let number = i32::try_from(number).map_err(|_| StorageError::TooLarge { size: self.size })?;
        let key = self.storage.key(StorageKey::Blob(&self.digest));
        while permit.is_none() && !self.flying.is_empty() {
            self.land().await?;
        }
        let part = self.storage.clone().upload_part(key, self.id.clone(), number, bytes, permit);
        let (end, hash_state) = (self.pushed, self.hasher.state());
        self.flying.push_back(Flying { part: AbortOnDropHandle::new(tokio::spawn(part)), end, hash_state });
        self.land_ready().await
    }

    /// Moves the checkpoint behind what has arrived by now, without waiting for more.
    pub async fn land_ready(&mut self) -> Result<(), StorageError> {
        while self.flying.front().is_some_and(|next| next.part.is_finished()) {
            self.land().await?;
        }
        Ok(())
    }

    /// Waits until everything that was pushed has arrived.
    pub async fn settle(&mut self) -> Result<(), StorageError> {
        while !self.flying.is_empty() {
            self.land().await?;
        }
        Ok(())
    }

    async fn land(&mut self) -> Result<(), StorageError> {
        let Some(next) = self.flying.pop_front() else { return Ok(()) };
        // Only a fault of ours ends it so; what that says may be anything.
        let ended = |_| StorageError::Unavailable("a part's upload hit a fault of ours".to_owned());
        let part = next.part.await.map_err(ended)??;
        self.checkpoint.offset = next.end;
        self.checkpoint.hash_state = next.hash_state;
        self.checkpoint.parts = next_parts(&self.checkpoint.parts, part.e_tag());
        self.landed.push(part);
        Ok(())
    }

    /// Waits for all parts, and proves by their bytes that a repository may have the blob.
    pub async fn verify(&mut self, owner: &Arc<Owner>) -> Result<Proven, StorageError> {
        self.settle().await?;
        if self.pushed != self.size {
            let (digest, actual) = (self.digest.clone(), self.pushed);
            return Err(StorageError::LengthMismatch { digest, expected: self.size, actual });
        }
        let proven = Proven::hashed(owner, &self.digest, self.hasher.clone());
        proven.ok_or_else(|| StorageError::DigestMismatch(self.digest.clone()))
    }

    /// Makes the parts an object, after they were verified. Where the bucket has the blob, the upload is given up; an
    /// object of its key and another length is damaged, and replaced.
    pub async fn complete(self, blob: &Proven, present: Present) -> Result<(), StorageError> {
        if *blob.digest() != self.digest || self.pushed != self.size {
            return Err(StorageError::DigestMismatch(self.digest));
        }
        let storage = &self.storage;
        let key = storage.key(StorageKey::Blob(&self.digest));
        let complete = |present: Present| {
            let parts = CompletedMultipartUpload::builder().set_parts(Some(self.landed.clone())).build();
            let request = storage.client.complete_multipart_upload().bucket(&*storage.bucket).key(&key);
            let request = request.upload_id(&self.id).multipart_upload(parts);
            let request = request.set_if_none_match(present.if_none_match());
            request.mpu_object_size(i64::try_from(self.size).unwrap_or(i64::MAX)).send()
        };
        if storage.settle(&key, complete(present).await).await? {
            return Ok(());
        }
        if storage.length(&key).await? == Some(self.size) {
            return storage.abort_upload(&self.digest, &self.id).await;
        }
        complete(Present::Replace).await.map(drop).map_err(failed)
    }
}

fn is_gone<E: ProvideErrorMetadata, R>(error: &aws_sdk_s3::error::SdkError<E, R>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("NoSuchUpload")
}

fn no_parts() -> Digest {
    Digest::sha256(b"")
}

/// What [`Checkpoint::parts`] becomes by one more part.
fn next_parts(parts: &Digest, e_tag: Option<&str>) -> Digest {
    // Listings and answers may differ in the quotes.
    let e_tag = e_tag.unwrap_or_default().trim_matches('"');
    Digest::sha256(format!("{parts}{e_tag}").as_bytes())
}
