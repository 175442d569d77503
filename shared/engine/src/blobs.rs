//! Blobs: each one once per run.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{FailureReason, RepositoryName, failure::Failure, manifest::Descriptor};
use moorage_storage::Storage;
use moorage_upstream::{Registry, UpstreamError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{error::WorkError, once::Once, progress::Progress};

/// Blobs that are copied at once. Together with the storage's memory budget this bounds a run; the registry's own
/// limit on requests is lower where it must be.
const BLOBS_IN_FLIGHT: usize = 16;

/// The length of the parts in which large blobs are fetched, and how many are fetched at once in a run: a registry
/// that limits each connection gives a dozen times as much, for 48 MiB of buffers.
const PART: u64 = 4 * 1024 * 1024;
/// See [`PART`].
const PARTS_IN_FLIGHT: usize = 12;
/// From which size on a blob is fetched in parts. Below it the second connection would hardly begin.
const PARALLEL_FROM: u64 = 4 * PART;

/// Copies blobs into one repository.
#[derive(Debug)]
pub(crate) struct Blobs {
    registry: Registry,
    storage: Storage,
    repository: RepositoryName,
    progress: Arc<Progress>,
    copied: Once<Result<(), WorkError>>,
    places: Semaphore,
    buffers: Arc<Semaphore>,
}

/// A part in memory; its place among the buffers is free when nobody holds the bytes any more.
struct Buffered {
    bytes: Bytes,
    _place: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Buffered {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Blobs {
    pub(crate) fn new(
        registry: Registry,
        storage: Storage,
        repository: RepositoryName,
        progress: Arc<Progress>,
    ) -> Self {
        let (places, buffers) = (Semaphore::new(BLOBS_IN_FLIGHT), Arc::new(Semaphore::new(PARTS_IN_FLIGHT)));
        Self { registry, storage, repository, progress, copied: Once::new(), places, buffers }
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
        if blob.size >= PARALLEL_FROM {
            let first = self.part(blob, 0, self.buffer().await).await?;
            if let Some(first) = first {
                return Box::pin(self.store(blob, self.parts(blob, first))).await;
            }
        }
        let reader = self.registry.blob(&blob.digest, blob.size, 0).await?;
        let chunks = async |mut reader: moorage_upstream::BlobReader| Ok(reader.next().await?.map(|it| (it, reader)));
        Box::pin(self.store(blob, stream::try_unfold(reader, chunks))).await
    }

    /// The parts of a blob in their order, of which some are fetched at once. Buffers are taken in the order of the
    /// parts, so whoever waits for one waits for parts that can be delivered.
    fn parts<'a>(
        &'a self,
        blob: &'a Descriptor,
        first: Bytes,
    ) -> impl Stream<Item = Result<Bytes, UpstreamError>> + Send + 'a {
        let rest =
            stream::iter(1..blob.size.div_ceil(PART)).then(move |number| async move { (number, self.buffer().await) });
        let rest = rest.map(move |(number, buffer)| async move {
            let part = self.part(blob, number, buffer).await?;
            part.ok_or_else(|| {
                UpstreamError::Protocol(format!("the registry no longer sends parts of {}", blob.digest))
            })
        });
        stream::iter([Ok(first)]).chain(rest.buffered(PARTS_IN_FLIGHT))
    }

    async fn buffer(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.buffers).acquire_owned().await.ok()
    }

    async fn part(
        &self,
        blob: &Descriptor,
        number: u64,
        buffer: Option<OwnedSemaphorePermit>,
    ) -> Result<Option<Bytes>, UpstreamError> {
        let range = number * PART..blob.size.min((number + 1) * PART);
        let part = self.registry.blob_part(&blob.digest, blob.size, range).await?;
        Ok(part.map(|bytes| Bytes::from_owner(Buffered { bytes, _place: buffer })))
    }

    async fn store(
        &self,
        blob: &Descriptor,
        chunks: impl Stream<Item = Result<Bytes, UpstreamError>> + Send,
    ) -> Result<(), WorkError> {
        let mut received = 0;
        let chunks = chunks.inspect_ok(|chunk| {
            received += chunk.len() as u64;
            self.progress.received(chunk.len() as u64);
        });
        let stored = self.storage.store_blob(&blob.digest, blob.size, chunks).await;
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
