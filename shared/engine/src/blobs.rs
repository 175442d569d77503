//! Blobs: each one once per run.

use std::sync::Arc;

use futures_util::{TryStreamExt as _, stream};
use moorage_domain::{FailureReason, RepositoryName, failure::Failure, manifest::Descriptor};
use moorage_storage::Storage;
use moorage_upstream::Registry;
use tokio::sync::Semaphore;

use crate::{error::WorkError, once::Once, progress::Progress};

/// Blobs that are copied at once. Together with the storage's memory budget this bounds a run; the registry's own
/// limit on requests is lower where it must be.
const BLOBS_IN_FLIGHT: usize = 16;

/// Copies blobs into one repository.
#[derive(Debug)]
pub(crate) struct Blobs {
    registry: Registry,
    storage: Storage,
    repository: RepositoryName,
    progress: Arc<Progress>,
    copied: Once<Result<(), WorkError>>,
    places: Semaphore,
}

impl Blobs {
    pub(crate) fn new(
        registry: Registry,
        storage: Storage,
        repository: RepositoryName,
        progress: Arc<Progress>,
    ) -> Self {
        Self { registry, storage, repository, progress, copied: Once::new(), places: Semaphore::new(BLOBS_IN_FLIGHT) }
    }

    /// Makes sure that the bucket has the blob and that it belongs to the repository.
    pub(crate) async fn ensure(&self, blob: &Descriptor) -> Result<(), WorkError> {
        self.copied.get(&blob.digest, || self.copy(blob)).await
    }

    async fn copy(&self, blob: &Descriptor) -> Result<(), WorkError> {
        self.progress.want(blob.size);
        let _place = self.places.acquire().await;
        match self.storage.blob_size(&blob.digest).await? {
            Some(size) if size == blob.size => self.progress.done(size),
            Some(size) => return Err(wrong_size(blob, size)),
            // Boxed: what streams a blob is large, and most blobs of most runs are there already.
            None => Box::pin(self.fetch(blob)).await?,
        }
        self.storage.link_blob(&self.repository, &blob.digest).await?;
        Ok(())
    }

    async fn fetch(&self, blob: &Descriptor) -> Result<(), WorkError> {
        let reader = self.registry.blob(&blob.digest, blob.size, 0).await?;
        let chunks =
            stream::try_unfold(reader, async |mut reader| Ok(reader.next().await?.map(|chunk| (chunk, reader))));
        let mut received = 0;
        let chunks = chunks.inspect_ok(|chunk| {
            received += chunk.len() as u64;
            self.progress.received(chunk.len() as u64);
        });
        let stored = Box::pin(self.storage.store_blob(&blob.digest, blob.size, chunks)).await;
        match stored {
            Ok(()) => self.progress.stored(),
            Err(_) => self.progress.lost(received),
        }
        Ok(stored?)
    }
}

fn wrong_size(blob: &Descriptor, actual: u64) -> WorkError {
    let message = format!("{} has {actual} bytes, but the manifest says {}", blob.digest, blob.size);
    WorkError::Failed(Failure { reason: FailureReason::DigestMismatch, message })
}
