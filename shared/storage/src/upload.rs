//! Large blobs: multipart uploads that can be left and taken up again, by anybody.

use std::{collections::VecDeque, sync::Arc};

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Part},
};
use bytes::Bytes;
use moorage_domain::{Checkpoint, Digest, Hasher, Owner, Proven, digest::HashState};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    MemoryPermit, Piece, Present, Storage, StorageError,
    error::failed,
    gathered::Gathered,
    key::StorageKey,
    part::{is_possible, part_size, pieces},
};

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
    /// Of the part that is not whole yet.
    gathered: Gathered,
    /// The hash of everything before that part.
    before: HashState,
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
        let part_size = part_size(size, self.budget);
        let checkpoint = Checkpoint { upload_id, part_size, offset: 0, hash_state, parts: no_parts() };
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
        if !is_possible(checkpoint.part_size, size, self.budget) || checkpoint.offset > size {
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
            before: hasher.state(),
            hasher,
            pushed: checkpoint.offset,
            gathered: Gathered::default(),
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
        part: Gathered,
    ) -> Result<CompletedPart, StorageError> {
        let (checksum, length) = (part.checksum(), i64::try_from(part.length()).unwrap_or(i64::MAX));
        let request = self.client.upload_part().bucket(&*self.bucket).key(key).upload_id(upload_id);
        // The checksum is made of the bytes as they come: they are not gone through once more for it, nor for a signature.
        let request = request.part_number(number).checksum_crc32(&checksum).content_length(length);
        let (body, permit) = part.into_body();
        let uploaded = request.body(body).customize().disable_payload_signing().send().await.map_err(failed)?;
        drop(permit);
        let part = CompletedPart::builder().part_number(number).set_e_tag(uploaded.e_tag);
        Ok(part.checksum_crc32(checksum).build())
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

    /// What is still to be pushed, in its order, by pieces of `most` bytes at most.
    pub fn missing(&self, most: u64) -> impl Iterator<Item = Piece> + use<> {
        pieces(self.size, self.part_size, self.pushed, most)
    }

    /// The length of all parts but the last, in bytes.
    pub fn part_size(&self) -> u64 {
        self.part_size
    }

    /// Hashes the next piece; when it makes a part whole, that is sent on its way. `permit` is for the part that it begins,
    /// and is given back when S3 has that.
    ///
    /// A part without a permit of its own counts to the caller's, which is for two parts: then one at a time is on its
    /// way.
    pub async fn push(&mut self, bytes: Bytes, permit: Option<MemoryPermit>) -> Result<(), StorageError> {
        let begun = self.pushed - self.gathered.length();
        let end = self.size.min(begun.saturating_add(self.part_size));
        let pushed = self.pushed.saturating_add(bytes.len() as u64);
        if bytes.is_empty() || pushed > end {
            return Err(StorageError::LengthMismatch { digest: self.digest.clone(), expected: end, actual: pushed });
        }
        self.hasher.update(&bytes);
        self.gathered.add(bytes, permit);
        self.pushed = pushed;
        if pushed < end {
            return Ok(());
        }
        let number = self.landed.len() + self.flying.len() + 1;
        let number = i32::try_from(number).map_err(|_| StorageError::TooLarge { size: self.size })?;
        let key = self.storage.key(StorageKey::Blob(&self.digest));
        while !self.gathered.is_permitted() && !self.flying.is_empty() {
            self.land().await?;
        }
        let part = self.storage.clone().upload_part(key, self.id.clone(), number, std::mem::take(&mut self.gathered));
        let hash_state = self.hasher.state();
        self.before.clone_from(&hash_state);
        self.flying.push_back(Flying { part: AbortOnDropHandle::new(tokio::spawn(part)), end, hash_state });
        self.land_ready().await
    }

    /// Gives up the pieces of a part that is not whole, with their memory. Returns how many bytes these were.
    pub fn drop_part(&mut self) -> u64 {
        let dropped = std::mem::take(&mut self.gathered).length();
        if dropped > 0
            && let Some(hasher) = Hasher::resume(self.digest.algorithm(), &self.before)
        {
            (self.hasher, self.pushed) = (hasher, self.pushed - dropped);
        }
        dropped
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
