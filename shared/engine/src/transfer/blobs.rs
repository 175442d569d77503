//! What blobs are copied with, and what copying large and small ones has in common.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use moorage_domain::{
    Digest, FailureReason, RateLimit, RepositoryName, failure::Failure, manifest::Descriptor, run::RunId,
};
use moorage_state::{Claim, Table, Tags};
use moorage_storage::{Storage, Verified};
use moorage_upstream::Registry;
use tokio::sync::Semaphore;

use crate::{
    error::WorkError,
    sync::{budget::Budget, progress::Progress},
    transfer::{
        allowance::Allowance,
        places::TagPlaces,
        possession::{Kind, Possession, Proof},
        protect::Guardian,
        single_flight::SingleFlight,
    },
};

/// Blobs that are copied at once: beside those that the registry is asked for, three times as many are linked and on their
/// way to S3, which takes three times as long where it is not next door. Together with the storage's memory budget this
/// bounds a run; the registry's own limit on requests is lower where it must be.
const BLOBS_IN_FLIGHT: usize = 128;
/// The most bytes that are kept of content which was fetched to decide something. What does not fit is fetched again.
const MAX_KNOWN: usize = 16 * 1024 * 1024;
/// Blobs of which it is remembered that they are copied, about 5 MB. One that was forgotten is found by its link.
const MAX_COPIED: usize = 20_000;

/// Copies blobs into one repository.
#[derive(Debug)]
pub(crate) struct Blobs {
    pub(crate) registry: Registry,
    pub(crate) storage: Storage,
    pub(crate) table: Table,
    pub(crate) repository: RepositoryName,
    pub(crate) run: RunId,
    pub(crate) claim: Arc<Claim>,
    /// What is written of tags by the claim.
    pub(crate) tags: Tags,
    pub(crate) progress: Arc<Progress>,
    pub(crate) budget: Budget,
    pub(crate) flow: Flow,
    pub(crate) possession: Arc<Possession>,
    pub(crate) guardian: Guardian,
    /// Whether the bucket's links are read before they are trusted.
    pub(crate) verifies: bool,
    /// What may be added to the namespace.
    pub(crate) allowance: Arc<Allowance>,
}

/// What blobs of one run share.
#[derive(Debug)]
pub(crate) struct Flow {
    /// The length that the first caller named, and whether anything was missing.
    pub(crate) copied: SingleFlight<(u64, Result<bool, WorkError>)>,
    pub(crate) places: Semaphore,
    /// Places of the tags that are to be copied.
    pub(crate) tags: TagPlaces,
    /// Content that had to be fetched to decide something, and is still to be copied; at most [`MAX_KNOWN`] bytes.
    known: Mutex<HashMap<Digest, Bytes>>,
}

impl Flow {
    /// `limit` is what is known of the registry's.
    pub(crate) fn new(limit: RateLimit) -> Self {
        let (copied, known) = (SingleFlight::new(MAX_COPIED, |_| 1), Mutex::default());
        Self { copied, places: Semaphore::new(BLOBS_IN_FLIGHT), tags: TagPlaces::new(limit), known }
    }

    /// Keeps a copy of verified content until it is copied, if that is little. What was fetched has its place in memory
    /// only for the moment.
    pub(crate) fn keep(&self, digest: &Digest, bytes: &[u8]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.values().map(Bytes::len).sum::<usize>().saturating_add(bytes.len()) <= MAX_KNOWN {
            known.insert(digest.clone(), Bytes::copy_from_slice(bytes));
        }
    }

    /// Takes content that was kept.
    pub(crate) fn take(&self, digest: &Digest) -> Option<Bytes> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(digest)
    }
}

impl Blobs {
    /// Finds out which blobs of an image the repository may have without their being sent. Those that this run deals with
    /// already are left out.
    pub(crate) async fn proofs(
        &self,
        manifest: Option<&Proof>,
        blobs: &[Descriptor],
    ) -> Result<HashMap<Digest, Proof>, WorkError> {
        let open = blobs.iter().map(|blob| &blob.digest).filter(|digest| !self.flow.copied.knows(digest));
        self.possession.blobs(manifest, &open.collect::<Vec<_>>()).await
    }

    /// Links a blob that the repository may have, and makes it safe from collectors. Tells whether its link was not what it
    /// should be, if links are verified.
    pub(crate) async fn link(&self, proof: &Proof) -> Result<bool, WorkError> {
        let Proof { proven, is_linked } = proof;
        let mut is_mended = false;
        if self.verifies {
            is_mended = self.storage.mend_blob_link(proven).await?;
        } else if !is_linked {
            let is_new = self.storage.link_blob(proven).await?;
            self.possession.linked(Kind::Blob, proven, is_new);
        }
        self.guardian.protect(proven.digest()).await?;
        Ok(is_mended)
    }

    /// The content of a blob that is one request.
    pub(crate) async fn fetch(&self, blob: &Descriptor) -> Result<Verified, WorkError> {
        let verified = |bytes| Ok(Verified::new(self.possession.owner(), &blob.digest, bytes)?);
        if let Some(bytes) = self.flow.take(&blob.digest) {
            return verified(bytes);
        }
        twice(|| async { verified(self.registry.blob(&blob.digest, blob.size, 0).await?.rest().await?) }).await
    }
}

/// Does work that fetches content; once more if what came was not what it should be.
async fn twice<T, F>(work: impl Fn() -> F) -> Result<T, WorkError>
where
    F: Future<Output = Result<T, WorkError>>,
{
    match work().await {
        Err(error) if error.is_wrong_content() => work().await,
        result => result,
    }
}

/// That a manifest says another length of some content than what was sent, or is proven to be the repository's, has.
pub(crate) fn wrong_size(digest: &Digest, said: u64, actual: u64) -> WorkError {
    let message = format!("{digest} has {actual} bytes, but the manifest says {said}");
    WorkError::Failed(Failure::new(FailureReason::DigestMismatch, message))
}
