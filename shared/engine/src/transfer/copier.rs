//! What copies images into one repository, and what it remembers of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use moorage_domain::{
    Digest, FailureReason, TagName, failure::Failure, mirror::MirrorConfig, plan::HeldTag, signature_policy::Approval,
};
use tokio::sync::Semaphore;

use crate::{
    error::WorkError,
    sync::tag_set::TagSet,
    transfer::{
        blobs::Blobs,
        leads::Leads,
        possession::Possession,
        room::Room,
        single_flight::SingleFlight,
        tree::{NoTree, Tree},
    },
};

/// Descriptors of manifests that were copied and are remembered, because other tags may want them, too: about 10 MB. What
/// was forgotten is found by its link.
const MAX_REMEMBERED: usize = 60_000;
/// Tags of which it is remembered whether the filter leaves them out.
const MAX_LEFT_OUT: usize = 10_000;
/// What a run may take for what it does between an answer and the next request, beyond the mirror's timeout.
const LAST_MOMENT: Duration = Duration::from_secs(30);
/// Manifests and configs that are whole in memory at once, each of [`moorage_domain::manifest::MAX_MANIFEST_SIZE`] at most.
const DOCUMENTS_IN_FLIGHT: usize = 16;
/// Manifests that come from the registry at once, until they are stored. Of those over 128 KiB it gives one at a time, so
/// that they take no more than 4 MiB beside it.
const RECEIVED_IN_FLIGHT: usize = 32;

/// Copies images into one repository.
#[derive(Debug)]
pub(crate) struct Copier {
    pub(crate) blobs: Blobs,
    /// The manifests that were copied, or could not be.
    pub(crate) manifests: SingleFlight<Result<Arc<Tree>, NoTree>>,
    /// Which of the tags of an image brings it.
    pub(crate) leads: Leads,
    /// Places for documents that are whole in memory.
    pub(crate) documents: Semaphore,
    /// Places for those that come from the registry.
    pub(crate) received: Semaphore,
    /// Room for what images list.
    pub(crate) room: Room,
    /// Of which images it is known whether the architecture filter leaves them out.
    pub(crate) left_out: SingleFlight<Result<bool, WorkError>>,
    copied: Mutex<Copied>,
    pub(crate) config: MirrorConfig,
}

/// What was copied.
#[derive(Debug, Default)]
struct Copied {
    /// All tags.
    tags: TagSet,
    /// What those point to that nobody has taken over yet.
    held: BTreeMap<TagName, HeldTag>,
    /// Of which it was found who signed what they are to point to.
    approved: BTreeMap<TagName, Approval>,
    /// Tags of signatures that let an image in.
    attached: BTreeSet<TagName>,
}

impl Copier {
    pub(crate) fn new(blobs: Blobs, config: MirrorConfig) -> Self {
        Self {
            blobs,
            manifests: SingleFlight::new(MAX_REMEMBERED, |tree| tree.as_ref().map_or(1, |tree| tree.weight())),
            leads: Leads::default(),
            documents: Semaphore::new(DOCUMENTS_IN_FLIGHT),
            received: Semaphore::new(RECEIVED_IN_FLIGHT),
            room: Room::new(),
            left_out: SingleFlight::new(MAX_LEFT_OUT, |_| 1),
            copied: Mutex::default(),
            config,
        }
    }

    /// Whether an image was copied, could not be, or is left out: then a tag of it takes no more than its links and records.
    pub(crate) fn is_through_with(&self, image: &Digest) -> bool {
        self.manifests.has(image) || self.left_out.is(image, |left_out| !matches!(left_out, Ok(false)))
    }

    /// What is known of what the repository may have.
    pub(crate) fn possession(&self) -> &Possession {
        &self.blobs.possession
    }

    /// Ends a run's copying: uploads that other runs have left and no tag wanted are given up.
    pub(crate) async fn give_up_others(&self) -> Result<(), WorkError> {
        self.blobs.give_up_others().await
    }

    /// Keeps a manifest that was fetched to learn its digest.
    pub(crate) fn keep(&self, digest: &Digest, manifest: &[u8]) {
        self.blobs.flow.keep(digest, manifest);
    }

    /// Moves to `held` what was copied.
    pub(crate) fn update(&self, held: &mut BTreeMap<TagName, HeldTag>) {
        held.append(&mut self.lock().held);
    }

    /// Whether a tag was copied.
    pub(crate) fn has_copied(&self, tag: &TagName) -> bool {
        self.lock().tags.contains(tag)
    }

    /// Notes that a tag was copied.
    pub(crate) fn copied(&self, tag: &TagName, held: HeldTag) {
        let mut copied = self.lock();
        copied.tags.insert(tag);
        copied.held.insert(tag.clone(), held);
    }

    /// Notes who signed what a tag is to point to.
    pub(crate) fn approve(&self, tag: &TagName, approval: Approval) {
        self.lock().approved.insert(tag.clone(), approval);
    }

    /// Who signed what a tag points to, as far as this invocation has asked.
    pub(crate) fn approval(&self, tag: &TagName) -> Option<Approval> {
        self.lock().approved.get(tag).cloned()
    }

    /// Notes a tag of signatures that is to be mirrored.
    pub(crate) fn attach(&self, tag: TagName) {
        self.lock().attached.insert(tag);
    }

    /// Those tags.
    pub(crate) fn attached(&self) -> BTreeSet<TagName> {
        self.lock().attached.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Copied> {
        // What was copied stays true after a panic elsewhere.
        self.copied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets work go on as long as the run gets on with its registry, or stores something, at least once in the timeout: an
    /// image may be of any size, but a sync may not hang. An answer that comes at the last moment is in time.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = Result<T, WorkError>>) -> Result<T, WorkError> {
        let Blobs { progress, registry, .. } = &self.blobs;
        let (mut work, seen) = (std::pin::pin!(work), || (progress.counts().objects_stored, registry.activity()));
        let (mut last, timeout) = (seen(), Duration::from_secs(self.config.skopeo_timeout_interval));
        loop {
            if let Ok(result) = tokio::time::timeout(timeout.saturating_add(LAST_MOMENT), &mut work).await {
                return result;
            }
            let before = std::mem::replace(&mut last, seen());
            if last == before {
                let message = format!("nothing came and nothing was stored for {} s", timeout.as_secs());
                return Err(WorkError::Failed(Failure::new(FailureReason::NetworkTimeout, message)));
            }
        }
    }
}
