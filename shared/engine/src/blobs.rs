//! Blobs: each one once per run.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use moorage_domain::{Digest, FailureReason, RepositoryName, failure::Failure, manifest::Descriptor, run::RunId};
use moorage_state::Table;
use moorage_storage::Storage;
use moorage_upstream::Registry;
use tokio::sync::Semaphore;

use crate::{budget::Budget, claim::Claim, error::WorkError, once::Once, progress::Progress};

/// Blobs that are copied at once. Together with the storage's memory budget this bounds a run; the registry's own
/// limit on requests is lower where it must be.
const BLOBS_IN_FLIGHT: usize = 16;

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
}

/// What blobs of one run share.
#[derive(Debug)]
pub(crate) struct Flow {
    copied: Once<Result<(), WorkError>>,
    places: Semaphore,
    /// Content that had to be fetched to decide something, and is still to be copied: a few small pieces for each tag
    /// that is copied at once.
    known: Mutex<HashMap<Digest, Bytes>>,
}

impl Flow {
    pub(crate) fn new() -> Self {
        Self { copied: Once::new(), places: Semaphore::new(BLOBS_IN_FLIGHT), known: Mutex::default() }
    }

    /// Keeps verified content until it is copied.
    pub(crate) fn keep(&self, digest: &Digest, bytes: Bytes) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone(), bytes);
    }

    /// Takes content that was kept.
    pub(crate) fn take(&self, digest: &Digest) -> Option<Bytes> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(digest)
    }
}

impl Blobs {
    /// Makes sure that the bucket has the blob and that it belongs to the repository.
    pub(crate) async fn ensure(&self, blob: &Descriptor) -> Result<(), WorkError> {
        self.flow.copied.get(&blob.digest, || self.copy(blob)).await
    }

    async fn copy(&self, blob: &Descriptor) -> Result<(), WorkError> {
        self.progress.want(blob.size);
        let _place = self.flow.places.acquire().await;
        match self.storage.blob_size(&blob.digest).await? {
            Some(size) if size == blob.size => self.progress.done(size),
            Some(size) => return Err(wrong_size(blob, size)),
            // Boxed: what streams a blob is large, and most blobs of most runs are there already.
            None if Storage::is_large(blob.size) => Box::pin(self.upload(blob)).await?,
            None => Box::pin(self.put(blob)).await?,
        }
        self.storage.link_blob(&self.repository, &blob.digest).await?;
        Ok(())
    }

    /// Copies a blob that is one request on both sides.
    async fn put(&self, blob: &Descriptor) -> Result<(), WorkError> {
        // Room comes before the request: who waits for room must not keep the registry's connections from others.
        let room = self.storage.room(blob.size).await?;
        let bytes = match self.flow.take(&blob.digest) {
            Some(bytes) => bytes,
            None => self.registry.blob(&blob.digest, blob.size, 0).await?.rest().await?,
        };
        self.progress.received(blob.size);
        match self.storage.put_blob(&blob.digest, bytes, room).await {
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
