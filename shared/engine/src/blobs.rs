//! Blobs: each one once per run.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use moorage_domain::{Digest, FailureReason, RepositoryName, failure::Failure, manifest::Descriptor, run::RunId};
use moorage_state::Table;
use moorage_storage::{Present, Storage};
use moorage_upstream::Registry;
use tokio::sync::Semaphore;

use crate::{budget::Budget, claim::Claim, error::WorkError, once::Once, progress::Progress};

/// Blobs that are copied at once. Together with the storage's memory budget this bounds a run; the registry's own
/// limit on requests is lower where it must be.
const BLOBS_IN_FLIGHT: usize = 16;
/// The most bytes that are kept of content which was fetched to decide something. What does not fit is fetched again.
const MAX_KNOWN: usize = 16 * 1024 * 1024;

/// Copies blobs into one repository.
#[derive(Debug)]
pub(crate) struct Blobs {
    pub(crate) registry: Registry,
    pub(crate) storage: Storage,
    pub(crate) table: Table,
    pub(crate) repository: RepositoryName,
    pub(crate) run: RunId,
    pub(crate) claim: Arc<Claim>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) budget: Budget,
    pub(crate) flow: Flow,
    /// Whether the bucket's links are read before they are trusted.
    pub(crate) verifies: bool,
}

/// What blobs of one run share.
#[derive(Debug)]
pub(crate) struct Flow {
    copied: Once<Result<bool, WorkError>>,
    places: Semaphore,
    /// Content that had to be fetched to decide something, and is still to be copied; at most [`MAX_KNOWN`] bytes.
    known: Mutex<HashMap<Digest, Bytes>>,
    /// Blobs that are linked and protected.
    linked: Mutex<HashSet<Digest>>,
}

impl Flow {
    pub(crate) fn new() -> Self {
        let (known, linked) = (Mutex::default(), Mutex::default());
        Self { copied: Once::new(), places: Semaphore::new(BLOBS_IN_FLIGHT), known, linked }
    }

    pub(crate) fn is_linked(&self, digest: &Digest) -> bool {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    pub(crate) fn linked(&self, digests: Vec<&Digest>) {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).extend(digests.into_iter().cloned());
    }

    /// Keeps verified content until it is copied, if there is room. It is a copy that is kept: the bytes of a large
    /// document hold a place that others wait for.
    pub(crate) fn keep(&self, digest: &Digest, bytes: Bytes) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.values().map(Bytes::len).sum::<usize>() + bytes.len() <= MAX_KNOWN {
            known.insert(digest.clone(), Bytes::copy_from_slice(&bytes));
        }
    }

    /// Takes content that was kept.
    pub(crate) fn take(&self, digest: &Digest) -> Option<Bytes> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(digest)
    }
}

impl Blobs {
    /// Makes sure that the bucket has a blob that is linked and protected ([`Self::link`]). Tells whether it did not.
    pub(crate) async fn ensure(&self, blob: &Descriptor) -> Result<bool, WorkError> {
        self.flow.copied.get(&blob.digest, || self.copy(blob)).await
    }

    async fn copy(&self, blob: &Descriptor) -> Result<bool, WorkError> {
        self.progress.want(blob.size);
        let _place = self.flow.places.acquire().await;
        let missing = match self.storage.blob_size(&blob.digest).await? {
            Some(size) if size == blob.size => {
                self.progress.done(size);
                None
            }
            // Either the object is damaged, or the manifest lies.
            Some(size) if self.storage.is_sound(&blob.digest).await? => return Err(wrong_size(blob, size)),
            Some(_) => Some(Present::Replace),
            None => Some(Present::Keep),
        };
        match missing {
            // Boxed: what streams a blob is large, and most blobs of most runs are there already.
            Some(present) if Storage::is_large(blob.size) => Box::pin(self.upload(blob, present)).await?,
            Some(present) => Box::pin(self.put(blob, present)).await?,
            None => {}
        }
        Ok(missing.is_some())
    }

    /// Copies a blob that is one request on both sides.
    async fn put(&self, blob: &Descriptor, present: Present) -> Result<(), WorkError> {
        // Room comes before the request: who waits for room must not keep the registry's connections from others.
        let room = self.storage.room(blob.size).await?;
        let bytes = match self.flow.take(&blob.digest) {
            Some(bytes) => bytes,
            None => self.registry.blob(&blob.digest, blob.size, 0).await?.rest().await?,
        };
        self.progress.received(blob.size);
        match self.storage.put_blob(&blob.digest, bytes, room, present).await {
            Ok(()) => self.progress.stored(),
            Err(error) => {
                self.progress.lost(blob.size);
                return Err(error.into());
            }
        }
        Ok(())
    }
}

fn wrong_size(blob: &Descriptor, actual: u64) -> WorkError {
    let message = format!("{} has {actual} bytes, but the manifest says {}", blob.digest, blob.size);
    WorkError::Failed(Failure { reason: FailureReason::DigestMismatch, message })
}
