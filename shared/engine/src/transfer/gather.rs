//! Indexes of referrers that we make ourselves: of what can be had. One that is gone or refused spoils no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, FailureReason, MediaType, TagName,
    plan::HeldTag,
    referrers::{
        MAX_WEIGHT, Referrer, ReferrerList, index, is_attached_tag, is_referrers_tag, is_servable, parse,
        referrers_tag, subject,
    },
    run::Outcome,
};
use moorage_storage::{Present, Stored, Verified};
use moorage_upstream::UpstreamError;

use crate::{
    error::WorkError,
    transfer::{copier::Copier, publish::Believed, tree::DescriptorLimit},
};

/// Referrers of one image that are copied at once.
const REFERRERS_IN_FLIGHT: usize = 8;

/// What came of copying referrers.
pub(crate) struct Gathered {
    /// Those that the repository has, as their manifests describe them.
    pub(crate) had: Vec<Referrer>,
    /// How many others there are.
    pub(crate) missing: usize,
}

/// What a registry's own list under a referrers tag is, by the manifests that it lists.
struct Heard {
    /// Whether any refers to the image.
    refers: bool,
    /// Whether something is not as it says.
    lies: bool,
}

impl Copier {
    /// Copies those of some manifests that refer to the image whose referrers `tag` is for, and leaves out those that
    /// cannot be had. Whoever lists a manifest may say of it what they want: what it refers to and what it is, it says
    /// itself.
    pub(crate) async fn gather(&self, tag: &TagName, referrers: Vec<Referrer>) -> Result<Gathered, WorkError> {
        let mut by_digest: BTreeMap<Digest, Referrer> = BTreeMap::new();
        for referrer in referrers.into_iter().filter(is_servable) {
            by_digest.entry(referrer.digest.clone()).or_insert(referrer);
        }
        // Their index has to stay one that can be read.
        let left = Mutex::new(MAX_WEIGHT);
        let describe = |listed: Referrer, manifest: &[u8]| {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            listed.described_by(manifest, &mut left).map_err(WorkError::from)
        };
        let copy = async |listed: Referrer| {
            let digest = listed.digest.clone();
            let look = self.referring(tag, &digest, |manifest| describe(listed, manifest));
            let Some(referrer) = self.in_time(look).await? else { return Ok(None) };
            let referrer = referrer?;
            let tree = self.in_time(self.manifest(&digest, None, &DescriptorLimit::new())).await?;
            Ok(Some(Referrer { media_type: tree.media_type.as_str().to_owned(), size: tree.size, ..referrer }))
        };
        let mut copied = stream::iter(by_digest.into_values()).map(copy).buffer_unordered(REFERRERS_IN_FLIGHT);
        let mut gathered = Gathered { had: Vec::new(), missing: 0 };
        while let Some(result) = copied.next().await {
            match result {
                Ok(Some(referrer)) => gathered.had.push(referrer),
                Ok(None) => gathered.missing += 1,
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

    /// What `read` makes of a manifest, if that refers to the image whose referrers `tag` is for. Its bytes are held only
    /// here, and kept for being copied if they came.
    async fn referring<T>(
        &self,
        tag: &TagName,
        digest: &Digest,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, WorkError> {
        let _place = self.documents.acquire().await;
        let held = match self.possession().manifest(digest).await? {
            Some(proof) => sound(self.blobs.storage.manifest(&proof.proven).await?),
            None => None,
        };
        let is_held = held.is_some();
        let bytes = match held {
            Some(bytes) => bytes,
            None => self.fetched(digest, None).await?,
        };
        if subject(&bytes).is_none_or(|subject| referrers_tag(&subject) != *tag) {
            tracing::warn!(%tag, %digest, "a manifest that is listed as a referrer does not refer to the image");
            return Ok(None);
        }
        if !is_held {
            self.keep(digest, &bytes);
        }
        Ok(Some(read(&bytes)))
    }

    /// A manifest that was kept, or else comes from the registry.
    pub(crate) async fn fetched(&self, digest: &Digest, tag: Option<&TagName>) -> Result<Bytes, UpstreamError> {
        match self.blobs.flow.take(digest) {
            Some(bytes) => Ok(bytes),
            None => self.blobs.registry.manifest(digest, tag).await,
        }
    }

    /// Whether a tag's manifest is an index of referrers of the registry's own that does not say the truth: it lists what
    /// does not refer to the image, or says of a referrer what its manifest does not say. Then ours takes its place. An
    /// index that lists no referrer at all may be one of images, unless it gives all entries a kind.
    pub(crate) async fn is_untrue(&self, tag: &TagName, digest: &Digest) -> Result<bool, WorkError> {
        if !is_referrers_tag(tag) {
            return Ok(false);
        }
        let list = {
            let _place = self.documents.acquire().await;
            let bytes = self.fetched(digest, Some(tag)).await?;
            self.keep(digest, &bytes);
            parse(&bytes).unwrap_or_default()
        };
        if !list.is_of_referrers() || list.referrers.is_empty() {
            return Ok(false);
        }
        let all_of_kinds = list.referrers.iter().all(|referrer| referrer.artifact_type.is_some());
        let look = async |listed: Referrer| {
            let contradicts = |manifest: &[u8]| listed.contradicts(manifest);
            self.in_time(self.referring(tag, &listed.digest, contradicts)).await
        };
        let mut looks = stream::iter(list.referrers).map(look).buffer_unordered(REFERRERS_IN_FLIGHT);
        let mut heard = Heard { refers: false, lies: list.unreadable > 0 };
        while let Some(look) = looks.next().await {
            if !self.blobs.budget.may_begin() {
                return Err(WorkError::Suspended);
            }
            match look {
                Ok(Some(contradicts)) => {
                    heard.refers = true;
                    heard.lies |= contradicts;
                }
                Ok(None) => heard.lies = true,
                // What cannot be had is found out again where it is copied.
                Err(WorkError::Failed(failure)) if !is_ours(failure.reason) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(heard.lies && (heard.refers || all_of_kinds))
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

    /// What can be had of the registry's own index of referrers, where it could not be copied whole, or is untrue. Nothing
    /// if the tag is none of those, or what it points to is no such index.
    pub(crate) async fn part_of(
        &self,
        tag: &TagName,
        digest: &Digest,
        believed: Believed,
    ) -> Option<Result<(Outcome, Digest), WorkError>> {
        if !is_attached_tag(tag) {
            return None;
        }
        let list = self.own_list(tag, digest).await?;
        if list.referrers.is_empty() {
            return None;
        }
        let all_of_kinds = list.referrers.iter().all(|referrer| referrer.artifact_type.is_some());
        let publish = async || {
            let Gathered { had, missing } = self.gather(tag, list.referrers).await?;
            // A part of an image is no image.
            if had.is_empty() && !all_of_kinds {
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
        let Some(ReferrerList { mut referrers, unreadable, .. }) = self.own_list(tag, source).await else {
            return Ok(None);
        };
        let mut all = self.held_list(&held.digest).await?.referrers;
        let known: BTreeSet<Digest> = all.iter().map(|referrer| referrer.digest.clone()).collect();
        referrers.retain(|referrer| !known.contains(&referrer.digest));
        let Gathered { had, missing } = self.gather(tag, referrers).await?;
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
    async fn own_list(&self, tag: &TagName, digest: &Digest) -> Option<ReferrerList> {
        let bytes = self.fetched(digest, Some(tag)).await.ok()?;
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
        Ok(sound(storage.manifest(&proven).await?))
    }
}

fn sound(stored: Stored) -> Option<Bytes> {
    match stored {
        Stored::Sound(bytes) => Some(bytes),
        Stored::Damaged | Stored::Missing => None,
    }
}

/// Whether it is the run that failed, or the bucket, and not a referrer.
fn is_ours(reason: FailureReason) -> bool {
    use FailureReason::{DecryptionFailed, Preempted, QuotaExceeded, StorageError};
    matches!(reason, StorageError | QuotaExceeded | Preempted | DecryptionFailed)
}
