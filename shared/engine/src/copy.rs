//! One tag: its manifests and blobs, children before parents, the tag itself last.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use moorage_domain::{
    Digest, FailureReason, MediaType, TagName, architecture,
    failure::Failure,
    manifest::{Content, MAX_INDEX_DEPTH, MAX_MANIFEST_SIZE, Manifest, Refusal},
    plan::{HeldTag, MAX_MANIFESTS},
    run::Outcome,
};
use moorage_state::SkippedTag;
use moorage_storage::{Present, Stored};
use moorage_upstream::UpstreamError;

use crate::{blobs::Blobs, clock::now, error::WorkError, once::Once, protect::protect};

/// Descriptors of one manifest that are followed at once. Blobs have a limit of their own.
const DESCRIPTORS_IN_FLIGHT: usize = 8;

/// Copies images into one repository.
#[derive(Debug)]
pub(crate) struct Copier {
    blobs: Blobs,
    manifests: Once<Result<Arc<Tree>, WorkError>>,
    left_out: Once<Result<bool, WorkError>>,
    /// The tags that were copied.
    copied: Mutex<BTreeMap<TagName, HeldTag>>,
    timeout: Duration,
    /// The architectures to keep; empty for all.
    architectures: Vec<String>,
}

/// A manifest whose whole content is in the repository.
#[derive(Debug)]
struct Tree {
    media_type: MediaType,
    /// The length of everything below it and of itself, by digest.
    sizes: BTreeMap<Digest, u64>,
    /// The manifests among them, but for itself.
    manifests: BTreeSet<Digest>,
    /// What it lists itself.
    children: BTreeSet<Digest>,
    /// What it lists, and is left out.
    left_out: Vec<Digest>,
    /// Whether something below it was left out.
    is_sparse: bool,
    /// Whether something of it was not there before.
    is_new: bool,
}

impl Copier {
    pub(crate) fn new(blobs: Blobs, timeout: Duration, architectures: Vec<String>) -> Self {
        let (manifests, left_out, copied) = (Once::new(), Once::new(), Mutex::default());
        Self { blobs, manifests, left_out, copied, timeout, architectures }
    }

    /// Ends a run's copying: what no tag wanted is given up.
    pub(crate) async fn finish(&self) -> Result<(), WorkError> {
        self.blobs.give_up_others().await
    }

    /// Copies what `digest` names and points the tag to it. `source` is the registry's digest, where that is another
    /// one. Tells what became of it: an image of another architecture than the mirror keeps is skipped, and an earlier
    /// one of the tag stays, as in Quay.
    pub(crate) async fn tag(
        &self,
        tag: &TagName,
        digest: &Digest,
        source: Option<Digest>,
    ) -> Result<Outcome, WorkError> {
        let Blobs { storage, repository, claim, .. } = &self.blobs;
        if self.in_time(self.is_left_out(digest)).await? {
            let skipped = SkippedTag { digest: digest.clone(), architectures: self.architectures.clone() };
            claim.tags.put_skipped(tag, skipped).await?;
            return Ok(Outcome::Skipped);
        }
        let tree = self.in_time(self.manifest(digest, 0)).await?;
        claim.check()?;
        storage.publish_tag(repository, tag, digest).await?;
        let size = tree.sizes.values().sum();
        let manifests: Vec<_> = tree.manifests.iter().take(MAX_MANIFESTS).cloned().collect();
        let held = HeldTag {
            digest: digest.clone(),
            media_type: tree.media_type,
            size,
            first_seen: now(),
            last_seen: None,
            source,
            architectures: if tree.is_sparse { self.architectures.clone() } else { Vec::new() },
            nested: manifests.iter().filter(|digest| !tree.children.contains(*digest)).cloned().collect(),
            manifests,
            left_out: tree.left_out.iter().take(MAX_MANIFESTS).cloned().collect(),
            reversion: false,
        };
        claim.tags.put(tag, held.clone()).await?;
        self.lock().insert(tag.clone(), held);
        Ok(Outcome::Copied)
    }

    /// Makes sure that the bucket has everything that a tag references which the registry still has as it is held.
    pub(crate) async fn verify(&self, tag: &TagName, held: &HeldTag) -> Result<Outcome, WorkError> {
        let tree = self.in_time(self.manifest(&held.digest, 0)).await?;
        let Blobs { storage, repository, claim, .. } = &self.blobs;
        claim.check()?;
        let is_new = storage.mend_tag(repository, tag, &held.digest).await? || tree.is_new;
        Ok(if is_new { Outcome::Repaired } else { Outcome::Unchanged })
    }

    /// Keeps a manifest that was fetched to learn its digest.
    pub(crate) fn keep(&self, digest: &Digest, manifest: Bytes) {
        self.blobs.flow.keep(digest, manifest);
    }

    /// Whether a tag's image is one of another architecture than the mirror keeps. What has to be fetched to know it is
    /// kept for copying.
    async fn is_left_out(&self, digest: &Digest) -> Result<bool, WorkError> {
        if self.architectures.is_empty() {
            return Ok(false);
        }
        self.left_out.get(digest, || self.look(digest)).await
    }

    async fn look(&self, digest: &Digest) -> Result<bool, WorkError> {
        let Blobs { registry, flow, .. } = &self.blobs;
        let bytes = match flow.take(digest) {
            Some(bytes) => bytes,
            None => registry.manifest(digest).await?,
        };
        let manifest = Manifest::parse(&bytes)?;
        flow.keep(digest, bytes);
        let Content::Image(blobs) = manifest.content else { return Ok(false) };
        let Some(config) = blobs.first().filter(|config| config.size <= MAX_MANIFEST_SIZE as u64) else {
            return Ok(false);
        };
        let bytes = registry.blob(&config.digest, config.size, 0).await?.rest().await?;
        if Digest::of(config.digest.algorithm(), &bytes) != config.digest {
            return Err(UpstreamError::DigestMismatch(config.digest.clone()).into());
        }
        let is_left_out = architecture::leaves_out(&bytes, &self.architectures);
        if is_left_out {
            flow.take(digest);
        } else {
            flow.keep(&config.digest, bytes);
        }
        Ok(is_left_out)
    }

    /// Adds to `held` what was copied.
    pub(crate) fn update(&self, held: &mut BTreeMap<TagName, HeldTag>) {
        held.extend(self.lock().iter().map(|(tag, copied)| (tag.clone(), copied.clone())));
    }

    /// Whether a tag was copied.
    pub(crate) fn has_copied(&self, tag: &TagName) -> bool {
        self.lock().contains_key(tag)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TagName, HeldTag>> {
        // What was copied stays true after a panic elsewhere.
        self.copied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets work go on as long as the run stores something at least once in the timeout: an image may be of any size,
    /// but a sync may not hang.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, WorkError>>) -> Result<T, WorkError> {
        let mut work = std::pin::pin!(work);
        let mut stored = self.blobs.progress.counts().objects_stored;
        loop {
            if let Ok(result) = tokio::time::timeout(self.timeout, &mut work).await {
                return result;
            }
            let before = std::mem::replace(&mut stored, self.blobs.progress.counts().objects_stored);
            if stored == before {
                let message = format!("nothing was stored for {} s", self.timeout.as_secs());
                return Err(WorkError::Failed(Failure { reason: FailureReason::NetworkTimeout, message }));
            }
        }
    }

    /// Copies a manifest and everything below it, once per run.
    fn manifest<'a>(&'a self, digest: &'a Digest, depth: usize) -> BoxFuture<'a, Result<Arc<Tree>, WorkError>> {
        self.manifests.get(digest, move || self.copy_manifest(digest, depth)).boxed()
    }

    async fn copy_manifest(&self, digest: &Digest, depth: usize) -> Result<Arc<Tree>, WorkError> {
        if depth > MAX_INDEX_DEPTH {
            return Err(Refusal::TooDeep.into());
        }
        let (manifest, size, mut is_new) = self.fetch(digest).await?;
        let (mut sizes, mut manifests) = (BTreeMap::from([(digest.clone(), size)]), BTreeSet::new());
        let (mut is_sparse, mut own, mut left_out) = (false, BTreeSet::new(), Vec::new());
        match &manifest.content {
            Content::Image(blobs) => {
                is_new |= self.blobs.link(blobs).await?;
                let copied = follow(blobs.len(), |index| self.blobs.ensure(&blobs[index])).await?;
                is_new |= copied.contains(&true);
                sizes.extend(blobs.iter().map(|blob| (blob.digest.clone(), blob.size)));
            }
            Content::Index(children) => {
                let kept = architecture::select(children, &self.architectures)?;
                own.extend(kept.iter().map(|child| child.digest.clone()));
                left_out.extend(children.iter().map(|child| &child.digest).filter(|it| !own.contains(*it)).cloned());
                is_sparse = !left_out.is_empty();
                let children = kept;
                manifests.extend(own.iter().cloned());
                let child = |index: usize| self.manifest(&children[index].digest, depth + 1);
                for tree in follow(children.len(), child).await? {
                    sizes.extend(tree.sizes.iter().map(|(digest, size)| (digest.clone(), *size)));
                    manifests.extend(tree.manifests.iter().cloned());
                    is_sparse |= tree.is_sparse;
                    is_new |= tree.is_new;
                }
            }
        }
        // The link makes it part of the repository, so it comes after everything below it.
        let Blobs { storage, repository, table, verifies, .. } = &self.blobs;
        if *verifies {
            is_new |= storage.mend_manifest_link(repository, digest).await?;
        } else {
            storage.link_manifest(repository, digest).await?;
        }
        protect(table, &[digest]).await?;
        // A collector may have been at it before there was the link.
        if storage.blob_size(digest).await?.is_none() {
            self.fetch(digest).await?;
        }
        let media_type = manifest.media_type;
        Ok(Arc::new(Tree { media_type, sizes, manifests, children: own, left_out, is_sparse, is_new }))
    }

    /// A manifest, its length, and whether it is new: the bucket's, if an earlier sync or another repository stored it,
    /// else the registry's. Its bytes are stored at once: many registries count how often a manifest is fetched, so it
    /// should not be fetched again if its blobs take several attempts.
    async fn fetch(&self, digest: &Digest) -> Result<(Manifest, u64, bool), WorkError> {
        let Blobs { registry, storage, progress, flow, .. } = &self.blobs;
        let present = match storage.manifest(digest).await? {
            Stored::Sound(bytes) => {
                progress.want(bytes.len() as u64);
                progress.done(bytes.len() as u64);
                return Ok((Manifest::parse(&bytes)?, bytes.len() as u64, false));
            }
            Stored::Damaged => Present::Replace,
            Stored::Missing => Present::Keep,
        };
        let bytes = match flow.take(digest) {
            Some(bytes) => bytes,
            None => registry.manifest(digest).await?,
        };
        let (manifest, size) = (Manifest::parse(&bytes)?, bytes.len() as u64);
        progress.want(size);
        progress.received(size);
        if storage.put_manifest(digest, manifest.media_type, bytes, present).await? {
            progress.stored();
        }
        Ok((manifest, size, true))
    }
}

/// Does `work` for the descriptors from 0 to `count`, some at a time, until all are done or one fails.
pub(crate) async fn follow<T, F>(count: usize, work: impl Fn(usize) -> F) -> Result<Vec<T>, WorkError>
where
    F: Future<Output = Result<T, WorkError>>,
{
    stream::iter(0..count).map(work).buffer_unordered(DESCRIPTORS_IN_FLIGHT).try_collect().await
}
