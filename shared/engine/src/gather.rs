//! Indexes of referrers that we make ourselves: of what can be had. One that is gone or refused spoils no other.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, FailureReason, MediaType, TagName,
    referrers::{Referrer, index, is_attached_tag, is_servable, parse},
    run::Outcome,
};
use moorage_storage::{Present, Verified};

use crate::{copy::Copier, error::WorkError, publish::Believed, tree::DescriptorBudget};

/// Referrers of one image that are copied at once.
const REFERRERS_IN_FLIGHT: usize = 8;

impl Copier {
    /// Copies referrers, and leaves out those that cannot be had. Fails if there are some and none can be had.
    pub(crate) async fn gather(&self, referrers: Vec<Referrer>) -> Result<Vec<Referrer>, WorkError> {
        let all = referrers.len();
        let mut by_digest: BTreeMap<Digest, Referrer> = BTreeMap::new();
        for referrer in referrers.into_iter().filter(is_servable) {
            by_digest.entry(referrer.digest.clone()).or_insert(referrer);
        }
        let copy = async |mut referrer: Referrer| {
            let tree = self.in_time(self.manifest(&referrer.digest, &DescriptorBudget::new())).await;
            tree.map(|tree| {
                // The list is ours, and says what is true.
                referrer.size = tree.size;
                referrer
            })
        };
        let mut copied = stream::iter(by_digest.into_values()).map(copy).buffer_unordered(REFERRERS_IN_FLIGHT);
        let (mut had, mut first, mut missing) = (Vec::new(), None, 0_usize);
        while let Some(result) = copied.next().await {
            match result {
                Ok(referrer) => had.push(referrer),
                Err(WorkError::Failed(failure)) if is_its_own(failure.reason) => {
                    missing += 1;
                    tracing::warn!(
                        reason = failure.reason.as_str(),
                        message = failure.message,
                        "a referrer is left out"
                    );
                    first.get_or_insert(failure);
                }
                Err(error) => return Err(error),
            }
        }
        drop(copied);
        match first {
            Some(failure) if had.is_empty() => Err(WorkError::Failed(failure)),
            _ => {
                self.losses.missing(missing);
                tracing::debug!(all, missing, "referrers were copied");
                Ok(had)
            }
        }
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
        let bytes = self.blobs.registry.manifest(digest).await.ok()?;
        let list = parse(&bytes).ok()?;
        drop(bytes);
        if !list.is_of_referrers() || list.referrers.is_empty() {
            return None;
        }
        let publish = async || {
            let unreadable = list.unreadable;
            let bytes = index(self.gather(list.referrers).await?)?;
            let ours = self.keep_index(bytes).await?;
            let outcome = self.tag(tag, &ours, Some(digest.clone()), believed.clone()).await?;
            self.losses.missing(unreadable);
            Ok((outcome, ours))
        };
        Some(publish().await)
    }
}

/// Whether a failure is one of the referrer, and not of the run or the bucket.
fn is_its_own(reason: FailureReason) -> bool {
    !matches!(
        reason,
        FailureReason::StorageError
            | FailureReason::QuotaExceeded
            | FailureReason::Preempted
            | FailureReason::DecryptionFailed
    )
}
