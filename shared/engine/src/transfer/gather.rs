//! Indexes of referrers that we make ourselves: of what can be had. One that is gone or refused spoils no other.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, FailureReason, MediaType, TagName,
    plan::HeldTag,
    referrers::{Referrer, ReferrerList, index, is_attached_tag, is_servable, parse, referrers_tag, subject},
    run::Outcome,
};
use moorage_storage::{Present, Stored, Verified};

use crate::{
    error::WorkError,
    transfer::{copier::Copier, publish::Believed, tree::DescriptorLimit},
};

/// Referrers of one image that are copied at once.
const REFERRERS_IN_FLIGHT: usize = 8;

/// What came of copying referrers.
pub(crate) struct Gathered {
    /// Those that the repository has.
    pub(crate) had: Vec<Referrer>,
    /// How many others there are.
    pub(crate) missing: usize,
}

impl Copier {
    /// Copies referrers, and leaves out those that cannot be had.
    pub(crate) async fn gather(&self, referrers: Vec<Referrer>) -> Result<Gathered, WorkError> {
        let mut by_digest: BTreeMap<Digest, Referrer> = BTreeMap::new();
        for referrer in referrers.into_iter().filter(is_servable) {
            by_digest.entry(referrer.digest.clone()).or_insert(referrer);
        }
        let copy = async |mut referrer: Referrer| {
            let tree = self.in_time(self.manifest(&referrer.digest, None, &DescriptorLimit::new())).await;
            tree.map(|tree| {
                // The list is ours, and says what is true.
                referrer.size = tree.size;
                referrer
            })
        };
        let mut copied = stream::iter(by_digest.into_values()).map(copy).buffer_unordered(REFERRERS_IN_FLIGHT);
        let mut gathered = Gathered { had: Vec::new(), missing: 0 };
        while let Some(result) = copied.next().await {
            match result {
                Ok(referrer) => gathered.had.push(referrer),
                Err(WorkError::Failed(failure)) if !is_ours(failure.reason) => {
                    let (reason, message) = (failure.reason.as_str(), &failure.message);
                    tracing::warn!(reason, message, "a referrer is left out");
                    gathered.missing += 1;
                }
                Err(error) => return Err(error),
            }
        }
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
        let list = self.own_list(digest).await?;
        if list.referrers.is_empty() {
            return None;
        }
        let all_of_kinds = list.referrers.iter().all(|referrer| referrer.artifact_type.is_some());
        let publish = async || {
            let Gathered { had, missing } = self.gather(list.referrers).await?;
            // A part of an image is no image.
            let are_referrers = if had.is_empty() { all_of_kinds } else { self.refer(tag, &had).await? };
            if !are_referrers {
                return Ok(None);
            }
            let ours = self.keep_index(index(had)?).await?;
            let outcome = self.tag(tag, &ours, Some(digest.clone()), believed.clone()).await?;
            self.blobs.progress.losses.missing(list.unreadable.saturating_add(missing));
            Ok(Some((outcome, ours)))
        };
        publish().await.transpose()
    }

    /// Adds to an index of ours what it lacks of the registry's own index `source`, and can be had by now. Tells what it
    /// became, if there is anything to add.
    pub(crate) async fn more_of(
        &self,
        tag: &TagName,
        source: &Digest,
        held: &HeldTag,
    ) -> Result<Option<(Outcome, Digest)>, WorkError> {
        let Some(ReferrerList { mut referrers, unreadable, .. }) = self.own_list(source).await else {
            return Ok(None);
        };
        let mut all = self.held_list(&held.digest).await?.referrers;
        let known: BTreeSet<Digest> = all.iter().map(|referrer| referrer.digest.clone()).collect();
        referrers.retain(|referrer| !known.contains(&referrer.digest));
        let Gathered { had, missing } = self.gather(referrers).await?;
        self.blobs.progress.losses.missing(unreadable.saturating_add(missing));
        if had.is_empty() {
            return Ok(None);
        }
        all.extend(had);
        let ours = self.keep_index(index(all)?).await?;
        let outcome = self.tag(tag, &ours, Some(source.clone()), Believed::of(Some(held))).await?;
        Ok(Some((outcome, ours)))
    }

    /// An index of referrers that the registry has; nothing if that is something else.
    async fn own_list(&self, digest: &Digest) -> Option<ReferrerList> {
        let bytes = self.blobs.registry.manifest(digest, None).await.ok()?;
        parse(&bytes).ok().filter(ReferrerList::is_of_referrers)
    }

    /// The referrers in an index that the repository has.
    pub(crate) async fn held_list(&self, digest: &Digest) -> Result<ReferrerList, WorkError> {
        let bytes = self.held_manifest(digest).await?;
        Ok(bytes.map_or_else(|| Ok(ReferrerList::default()), |bytes| parse(&bytes))?)
    }

    /// Whether all of some manifests refer to the image whose referrers a tag is for. Only that makes an index one of
    /// referrers for certain.
    pub(crate) async fn refer(&self, tag: &TagName, referrers: &[Referrer]) -> Result<bool, WorkError> {
        for referrer in referrers {
            let manifest = self.held_manifest(&referrer.digest).await?;
            let subject = manifest.and_then(|manifest| subject(&manifest));
            if subject.is_none_or(|subject| referrers_tag(&subject) != *tag) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn held_manifest(&self, digest: &Digest) -> Result<Option<Bytes>, WorkError> {
        let storage = &self.blobs.storage;
        let linked = storage.links_manifest(self.possession().owner(), digest).await?;
        let Some(proven) = linked else { return Ok(None) };
        Ok(match storage.manifest(&proven).await? {
            Stored::Sound(bytes) => Some(bytes),
            Stored::Damaged | Stored::Missing => None,
        })
    }
}

/// Whether it is the run that failed, or the bucket, and not a referrer.
fn is_ours(reason: FailureReason) -> bool {
    use FailureReason::{DecryptionFailed, Preempted, QuotaExceeded, StorageError};
    matches!(reason, StorageError | QuotaExceeded | Preempted | DecryptionFailed)
}
