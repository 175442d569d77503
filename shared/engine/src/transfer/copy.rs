//! One tag: its manifests and blobs, children before parents, the tag itself last.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use moorage_domain::{
    Digest, FailureReason, TagName, architecture,
    failure::Failure,
    manifest::{Content, MAX_MANIFEST_SIZE, Manifest, inline},
    plan::{HeldTag, MAX_MANIFESTS},
    run::Outcome,
};
use moorage_state::SkippedTag;
use moorage_storage::Verified;
use tokio::sync::Semaphore;

use crate::{
    clock::now,
    error::WorkError,
    transfer::{
        blobs::Blobs,
        possession::Possession,
        publish::{Believed, publish},
        single_flight::Once,
        tree::{Contents, DescriptorBudget, NoTree, Tree},
    },
};

/// Descriptors of manifests that were copied and are remembered, because other tags may want them, too: about 10 MB. What
/// was forgotten is found by its link.
const MAX_REMEMBERED: usize = 60_000;
/// Tags of which it is remembered whether the filter leaves them out.
const MAX_LEFT_OUT: usize = 10_000;
/// What a run may take for what it does between an answer and the next request, beyond the mirror's timeout.
const LAST_MOMENT: Duration = Duration::from_secs(30);
/// Manifests and configs that are whole in memory at once, each of [`MAX_MANIFEST_SIZE`] at most.
const DOCUMENTS_IN_FLIGHT: usize = 16;

/// Copies images into one repository.
#[derive(Debug)]
pub(crate) struct Copier {
    pub(crate) blobs: Blobs,
    pub(crate) manifests: Once<Result<Arc<Tree>, NoTree>>,
    pub(crate) documents: Semaphore,
    left_out: Once<Result<bool, WorkError>>,
    /// The tags that were copied.
    copied: Mutex<BTreeMap<TagName, HeldTag>>,
    timeout: Duration,
    /// The architectures to keep; empty for all.
    pub(crate) architectures: Vec<String>,
}

impl Copier {
    pub(crate) fn new(blobs: Blobs, timeout: Duration, architectures: Vec<String>) -> Self {
        Self {
            blobs,
            manifests: Once::new(MAX_REMEMBERED, |tree| tree.as_ref().map_or(1, |tree| tree.weight())),
            documents: Semaphore::new(DOCUMENTS_IN_FLIGHT),
            left_out: Once::new(MAX_LEFT_OUT, |_| 1),
            copied: Mutex::default(),
            timeout,
            architectures,
        }
    }

    /// What is known of what the repository may have.
    pub(crate) fn possession(&self) -> &Possession {
        &self.blobs.possession
    }

    /// Ends a run's copying: what no tag wanted is given up.
    pub(crate) async fn finish(&self) -> Result<(), WorkError> {
        self.blobs.give_up_others().await
    }

    /// Copies what `digest` names and points the tag to it. `source` is the registry's digest, where that is another
    /// one; `believed` is what the tag's link is. Tells what became of it: an image of another architecture than the
    /// mirror keeps is skipped, and an earlier one of the tag stays, as in Quay.
    pub(crate) async fn tag(
        &self,
        tag: &TagName,
        digest: &Digest,
        source: Option<Digest>,
        believed: Believed,
    ) -> Result<Outcome, WorkError> {
        let Blobs { storage, claim, possession, allowance, .. } = &self.blobs;
        allowance.check_tag(tag)?;
        if self.in_time(self.is_left_out(digest, tag)).await? {
            let skipped = SkippedTag { digest: digest.clone(), architectures: self.architectures.clone() };
            claim.tags.put_skipped(tag, skipped).await?;
            return Ok(Outcome::Skipped);
        }
        let budget = DescriptorBudget::new();
        let tree = self.in_time(self.manifest(digest, Some(tag), &budget)).await?;
        let contents = tree.contents();
        allowance.take(tag, contents.size())?;
        claim.check()?;
        // From here on the tag may point to it, even if nothing is heard of that: its content stays.
        possession.needed(contents.sizes.keys()).await?;
        let link = publish(storage, &tree.proven, tag, believed, || claim.renew()).await?;
        let held = self.held(&tree, &contents, source, link);
        claim.tags.put(tag, held.clone()).await?;
        self.lock().insert(tag.clone(), held);
        Ok(Outcome::Copied)
    }

    /// A tag that points to an image since now.
    fn held(&self, tree: &Tree, contents: &Contents, source: Option<Digest>, link: String) -> HeldTag {
        let manifests: Vec<_> = contents.manifests.iter().take(MAX_MANIFESTS).cloned().collect();
        let (own, left_out) = tree.lists();
        HeldTag {
            digest: tree.proven.digest().clone(),
            media_type: tree.media_type,
            size: contents.size(),
            first_seen: now(),
            last_seen: None,
            missing: None,
            source,
            architectures: if tree.is_sparse { self.architectures.clone() } else { Vec::new() },
            nested: manifests.iter().filter(|digest| !own.contains(digest)).cloned().collect(),
            manifests,
            left_out: left_out.iter().take(MAX_MANIFESTS).cloned().collect(),
            reversion: false,
            generation: tree.proven.owner().generation,
            link: Some(link).filter(|link| !link.is_empty()),
        }
    }

    /// Makes sure that the bucket has everything that a tag references which the registry still has as it is held.
    pub(crate) async fn verify(&self, tag: &TagName, held: &HeldTag) -> Result<Outcome, WorkError> {
        let Blobs { storage, claim, possession, .. } = &self.blobs;
        possession.trust_record(held);
        let budget = DescriptorBudget::new();
        let tree = self.in_time(self.manifest(&held.digest, Some(tag), &budget)).await;
        possession.forget_record(held);
        let tree = tree?;
        claim.check()?;
        let is_new = storage.mend_tag(&tree.proven, tag).await? || tree.is_new;
        possession.needed(tree.contents().sizes.keys()).await?;
        Ok(if is_new { Outcome::Repaired } else { Outcome::Unchanged })
    }

    /// Keeps a manifest that was fetched to learn its digest.
    pub(crate) fn keep(&self, digest: &Digest, manifest: &[u8]) {
        self.blobs.flow.keep(digest, manifest);
    }

    /// Whether a tag's image is one of another architecture than the mirror keeps. What has to be fetched to know it is
    /// kept for copying.
    async fn is_left_out(&self, digest: &Digest, tag: &TagName) -> Result<bool, WorkError> {
        if self.architectures.is_empty() {
            return Ok(false);
        }
        self.left_out.get(digest, |_| true, || self.look(digest, tag)).await
    }

    async fn look(&self, digest: &Digest, tag: &TagName) -> Result<bool, WorkError> {
        let Blobs { registry, flow, .. } = &self.blobs;
        let _place = self.documents.acquire().await;
        let bytes = match flow.take(digest) {
            Some(bytes) => bytes,
            None => registry.manifest(digest, Some(tag)).await?,
        };
        let manifest = Manifest::parse(&bytes)?;
        flow.keep(digest, &bytes);
        let Content::Image(blobs) = manifest.content else { return Ok(false) };
        let Some(config) = blobs.first().filter(|config| config.size <= MAX_MANIFEST_SIZE as u64) else {
            return Ok(false);
        };
        let inlined = if config.has_data() { inline(&bytes, &config.digest) } else { None };
        // What was fetched goes before more is fetched.
        drop(bytes);
        let content = match inlined {
            Some(data) => Verified::new(self.blobs.possession.owner(), &config.digest, data.into())?,
            None => self.blobs.fetch(config).await?,
        };
        let is_left_out = architecture::leaves_out(content.bytes(), &self.architectures);
        if is_left_out {
            flow.take(digest);
        } else {
            flow.keep(&config.digest, content.bytes());
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

    /// Lets work go on as long as the run gets on with its registry, or stores something, at least once in the timeout: an
    /// image may be of any size, but a sync may not hang. An answer that comes at the last moment is in time.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = Result<T, WorkError>>) -> Result<T, WorkError> {
        let Blobs { progress, registry, .. } = &self.blobs;
        let (mut work, seen) = (std::pin::pin!(work), || (progress.counts().objects_stored, registry.activity()));
        let mut last = seen();
        loop {
            if let Ok(result) = tokio::time::timeout(self.timeout.saturating_add(LAST_MOMENT), &mut work).await {
                return result;
            }
            let before = std::mem::replace(&mut last, seen());
            if last == before {
                let message = format!("nothing came and nothing was stored for {} s", self.timeout.as_secs());
                return Err(WorkError::Failed(Failure { reason: FailureReason::NetworkTimeout, message }));
            }
        }
    }
}
