//! Indexes of referrers that we make ourselves: of what can be had. One that is gone or refused spoils no other.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, FailureReason, MediaType, TagName,
    failure::Failure,
    referrers::{Referrer, index, is_attached_tag, is_servable, parse},
    run::Outcome,
};
use moorage_storage::{Present, Verified};

use crate::{copy::Copier, error::WorkError, publish::Believed, tree::DescriptorBudget};

/// Referrers of one image that are copied at once.
const REFERRERS_IN_FLIGHT: usize = 8;

/// What came of copying referrers.
pub(crate) struct Gathered {
    /// Those that the repository has.
    pub(crate) had: Vec<Referrer>,
    /// Why one of the others could not be had now, and may be at another time.
    pub(crate) passing: Option<Failure>,
}

impl Copier {
    /// Copies referrers, and leaves out those that cannot be had.
    pub(crate) async fn gather(&self, referrers: Vec<Referrer>) -> Result<Gathered, WorkError> {
        let mut by_digest: BTreeMap<Digest, Referrer> = BTreeMap::new();
        for referrer in referrers.into_iter().filter(is_servable) {
            by_digest.entry(referrer.digest.clone()).or_insert(referrer);
        }
        let copy = async |mut referrer: Referrer| {
            let tree = self.in_time(self.manifest(&referrer.digest, None, &DescriptorBudget::new())).await;
            tree.map(|tree| {
                // The list is ours, and says what is true.
                referrer.size = tree.size;
                referrer
            })
        };
        let mut copied = stream::iter(by_digest.into_values()).map(copy).buffer_unordered(REFERRERS_IN_FLIGHT);
        let mut gathered = Gathered { had: Vec::new(), passing: None };
        let mut missing = 0_usize;
        while let Some(result) = copied.next().await {
            match result {
                Ok(referrer) => gathered.had.push(referrer),
                Err(WorkError::Failed(failure)) if !is_ours(failure.reason) => {
                    let (reason, message) = (failure.reason.as_str(), &failure.message);
                    tracing::warn!(reason, message, "a referrer is left out");
                    missing += 1;
                    if !is_lasting(failure.reason) {
                        gathered.passing.get_or_insert(failure);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.losses.missing(missing);
        Ok(gathered)
    }

    /// Stores an index that we made, and keeps it for copying: the registry does not have it.
    pub(crate) async fn keep_index(&self, bytes: Vec<u8>) -> Result<Digest, WorkError> {
        let digest = Digest::sha256(&bytes);
        let index = Verified::new(self.possession().owner(), &digest, Bytes::from(bytes.clone()))?;
        self.blobs.storage.put_manifest(&index, MediaType::OciIndex, Present::Keep).await?;
        drop(index);
        self.keep(&digest, &bytes);
        Ok(digest)
    }

    /// What can be had of the registry's own index of referrers, after it could not be copied whole. Nothing if the tag is
    /// none of those, or what it points to is no such index.
    pub(crate) async fn part_of(
        &self,
        tag: &TagName,
        digest: &Digest,
        believed: Believed,
    ) -> Option<Result<(Outcome, Digest), WorkError>> {
        if !is_attached_tag(tag) {
            return None;
        }
        let bytes = self.blobs.registry.manifest(digest, None).await.ok()?;
        let list = parse(&bytes).ok()?;
        drop(bytes);
        if !list.is_of_referrers() || list.referrers.is_empty() {
            return None;
        }
        let publish = async || {
            let unreadable = list.unreadable;
            let Gathered { had, passing } = self.gather(list.referrers).await?;
            if let Some(failure) = passing {
                return Err(WorkError::Failed(failure));
            }
            let ours = self.keep_index(index(had)?).await?;
            let outcome = self.tag(tag, &ours, Some(digest.clone()), believed.clone()).await?;
            self.losses.missing(unreadable);
            Ok((outcome, ours))
        };
        Some(publish().await)
    }
}

/// Whether it is the run that failed, or the bucket, and not a referrer.
fn is_ours(reason: FailureReason) -> bool {
    use FailureReason::{DecryptionFailed, Preempted, QuotaExceeded, StorageError};
    matches!(reason, StorageError | QuotaExceeded | Preempted | DecryptionFailed)
}

/// Whether the same referrer will hardly be had at another time.
fn is_lasting(reason: FailureReason) -> bool {
    use FailureReason::{ContentRefused, DigestMismatch, NotFound};
    matches!(reason, NotFound | ContentRefused | DigestMismatch)
}
