//! Manifests with everything below them: children before parents, each once per run.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{self, BoxFuture},
    stream,
};
use moorage_domain::{
    Digest, FailureReason, MediaType, Proven, TagName, architecture,
    failure::Failure,
    manifest::{Content, Descriptor, MAX_DESCRIPTORS, MAX_INDEX_DEPTH, Manifest, Refusal},
};
use moorage_storage::{Present, Stored, Verified};
use moorage_upstream::UpstreamError;

use crate::{
    error::{WorkError, failure},
    transfer::{
        blobs::Blobs,
        copy::Copier,
        entry::Part,
        possession::{Kind, Proof},
    },
};

/// Descriptors of one manifest that are followed at once. Blobs have a limit of their own.
const DESCRIPTORS_IN_FLIGHT: usize = 8;
/// How long what goes on beside a failure may take to end: a write of a few bytes.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// A manifest whose whole content is in the repository.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) proven: Proven,
    pub(crate) media_type: MediaType,
    /// Its own length in bytes.
    pub(crate) size: u64,
    below: Below,
    /// How many descriptors there are in it and below it.
    descriptors: usize,
    /// Whether something below it was left out.
    pub(crate) is_sparse: bool,
    /// Whether something of it was not there before.
    pub(crate) is_new: bool,
}

#[derive(Debug)]
enum Below {
    /// Blobs and their lengths.
    Blobs(Vec<(Digest, u64)>),
    /// The manifests and the blobs that it lists, and what of that is left out.
    Entries { trees: Vec<Arc<Tree>>, blobs: Vec<(Digest, u64)>, left_out: Vec<Digest> },
}

/// Why there is no manifest.
#[derive(Debug, Clone)]
pub(crate) enum NoTree {
    /// The registry has none of this digest, or of a type that is none here. As a part of an index it may be a blob.
    Absent(Failure),
    /// It cannot be copied.
    Failed(WorkError),
}

impl<E: Into<WorkError>> From<E> for NoTree {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl NoTree {
    /// What it is to somebody who needs a manifest.
    pub(crate) fn into_error(self) -> WorkError {
        match self {
            Self::Absent(failure) => WorkError::Failed(failure),
            Self::Failed(error) => error,
        }
    }
}

/// Everything that a tag references, each digest once.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The length of everything, by digest.
    pub(crate) sizes: BTreeMap<Digest, u64>,
    /// The manifests below the tag's own.
    pub(crate) manifests: BTreeSet<Digest>,
}

impl Contents {
    /// The length of all of it, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.sizes.values().fold(0, |sum, size| sum.saturating_add(*size))
    }
}

impl Tree {
    /// How much of a run's memory it takes at most, in descriptors.
    pub(crate) fn weight(&self) -> usize {
        self.descriptors
    }

    /// Everything in it and below it.
    pub(crate) fn contents(&self) -> Contents {
        let mut contents = Contents::default();
        self.collect(&mut contents);
        contents
    }

    fn collect(&self, contents: &mut Contents) {
        contents.sizes.insert(self.proven.digest().clone(), self.size);
        match &self.below {
            Below::Blobs(blobs) => contents.sizes.extend(blobs.iter().cloned()),
            Below::Entries { trees, blobs, .. } => {
                contents.sizes.extend(blobs.iter().cloned());
                for tree in trees {
                    contents.manifests.insert(tree.proven.digest().clone());
                    tree.collect(contents);
                }
            }
        }
    }

    /// The manifests that it lists itself, and of what it lists that which is left out.
    pub(crate) fn lists(&self) -> (BTreeSet<&Digest>, &[Digest]) {
        match &self.below {
            Below::Blobs(_) => (BTreeSet::new(), &[]),
            Below::Entries { trees, left_out, .. } => {
                (trees.iter().map(|tree| tree.proven.digest()).collect(), left_out)
            }
        }
    }
}

/// How many more descriptors a tag may reference.
#[derive(Debug)]
pub(crate) struct DescriptorBudget(AtomicUsize);

impl DescriptorBudget {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(MAX_DESCRIPTORS))
    }

    fn take(&self, descriptors: usize) -> Result<(), WorkError> {
        let taken = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(descriptors));
        if taken.is_err() {
            self.0.store(0, Relaxed);
        }
        taken.map(drop).map_err(|_| Refusal::TooMany.into())
    }

    fn is_spent(&self) -> bool {
        self.0.load(Relaxed) == 0
    }
}

/// A manifest, reduced, and what is known of it. Its bytes are gone.
struct Opened {
    manifest: Manifest,
    size: u64,
    proof: Proof,
    is_new: bool,
}

impl Copier {
    /// Copies a manifest and everything below it, once per run. `tag` is a name of it, if it has one.
    pub(crate) async fn manifest(
        &self,
        digest: &Digest,
        tag: Option<&TagName>,
        budget: &DescriptorBudget,
    ) -> Result<Arc<Tree>, WorkError> {
        self.tree(digest, tag, 0, budget).await.map_err(NoTree::into_error)
    }

    /// As [`Self::manifest`], so many levels below a tag's own.
    pub(crate) fn tree<'a>(
        &'a self,
        digest: &'a Digest,
        tag: Option<&'a TagName>,
        depth: usize,
        budget: &'a DescriptorBudget,
    ) -> BoxFuture<'a, Result<Arc<Tree>, NoTree>> {
        async move {
            let is_mine = AtomicBool::new(false);
            // What is too much for one tag may be little for another; what is not there may be had in another way.
            let kept = |result: &Result<_, _>| match result {
                Ok(_) => true,
                Err(NoTree::Absent(_)) => false,
                Err(NoTree::Failed(_)) => !budget.is_spent(),
            };
            let copy = || {
                is_mine.store(true, Relaxed);
                self.copy_manifest(digest, tag, depth, budget)
            };
            let tree = self.manifests.get(digest, kept, copy).await?;
            if !is_mine.load(Relaxed) {
                budget.take(tree.descriptors)?;
            }
            Ok(tree)
        }
        .boxed()
    }

    async fn copy_manifest(
        &self,
        digest: &Digest,
        tag: Option<&TagName>,
        depth: usize,
        budget: &DescriptorBudget,
    ) -> Result<Arc<Tree>, NoTree> {
        if depth > MAX_INDEX_DEPTH {
            return Err(Refusal::TooDeep.into());
        }
        let Opened { manifest, size, proof, mut is_new } = self.open(digest, tag).await?;
        let (media_type, mut is_sparse, mut descriptors) = (manifest.media_type, false, 1_usize);
        let below = match manifest.content {
            Content::Image(blobs) => {
                budget.take(blobs.len() + 1)?;
                descriptors += blobs.len();
                self.blobs.allowance.check_size(blobs.iter().fold(size, |sum, blob| sum.saturating_add(blob.size)))?;
                let proofs = self.blobs.proofs(Some(&proof), &blobs).await?;
                let blob = |index: usize| self.blob(&proof.proven, &blobs[index], proofs.get(&blobs[index].digest));
                let copied = follow(blobs.len(), blob).await?;
                is_new |= copied.contains(&true);
                Below::Blobs(blobs.into_iter().map(|blob| (blob.digest, blob.size)).collect())
            }
            Content::Index(entries) => {
                budget.take(entries.len() + 1)?;
                descriptors += entries.len();
                let kept = architecture::select(&entries, &self.architectures)?;
                let left_out = left_out(entries, &kept);
                is_sparse = !left_out.is_empty();
                let (mut trees, mut blobs) = (Vec::new(), Vec::new());
                for part in self.parts(&proof.proven, &kept, depth + 1, budget).await? {
                    match part {
                        Part::Manifest(tree) => {
                            descriptors = descriptors.saturating_add(tree.descriptors);
                            is_sparse |= tree.is_sparse;
                            is_new |= tree.is_new;
                            trees.push(tree);
                        }
                        Part::Blob { digest, size, is_new: is_new_blob } => {
                            is_new |= is_new_blob;
                            blobs.push((digest, size));
                        }
                    }
                }
                Below::Entries { trees, blobs, left_out }
            }
        };
        is_new |= self.hold(&proof).await?;
        let proven = proof.proven;
        Ok(Arc::new(Tree { proven, media_type, size, below, descriptors, is_sparse, is_new }))
    }

    /// Links a manifest, after everything below it; the link makes it part of the repository. Tells whether the link was
    /// not what it should be, if links are verified.
    async fn hold(&self, proof: &Proof) -> Result<bool, WorkError> {
        let Blobs { storage, possession, guardian, verifies, .. } = &self.blobs;
        let Proof { proven, is_linked } = proof;
        let mut is_mended = false;
        if *verifies {
            possession.linking();
            is_mended = storage.mend_manifest_link(proven).await?;
            possession.linked(Kind::Manifest, proven, false);
        } else if !is_linked {
            possession.linking();
            let is_new = storage.link_manifest(proven).await?;
            possession.linked(Kind::Manifest, proven, is_new);
        }
        guardian.protect(proven.digest()).await?;
        // A collector may have been at it before there was the link.
        if storage.blob_size(proven).await?.is_none() {
            let _place = self.documents.acquire().await;
            self.receive(proven.digest(), None, Present::Keep).await.map_err(NoTree::into_error)?;
        }
        Ok(is_mended)
    }

    /// A manifest: the bucket's, if the repository is proven to have it, else the registry's. Its bytes are held only here,
    /// and few at a time.
    async fn open(&self, digest: &Digest, tag: Option<&TagName>) -> Result<Opened, NoTree> {
        let Blobs { storage, progress, possession, flow, .. } = &self.blobs;
        let _place = self.documents.acquire().await;
        let (proof, mut present) = (possession.manifest(digest).await?, Present::Keep);
        if let Some(proof) = &proof {
            match storage.manifest(&proof.proven).await? {
                Stored::Sound(bytes) => {
                    // It need not come again, and leaves its place to what has to.
                    flow.take(digest);
                    let size = bytes.len() as u64;
                    progress.want(size);
                    progress.done(size);
                    return Ok(Opened {
                        manifest: Manifest::parse(&bytes)?,
                        size,
                        proof: proof.clone(),
                        is_new: false,
                    });
                }
                Stored::Damaged => present = Present::Replace,
                Stored::Missing => {}
            }
        }
        let (manifest, size, received) = self.receive(digest, tag, present).await?;
        let proof = proof.unwrap_or_else(|| {
            possession.received(&received);
            Proof::unlinked(received)
        });
        Ok(Opened { manifest, size, proof, is_new: true })
    }

    /// Fetches a manifest. It is stored at once: many registries count how often a manifest is fetched, so it should not be
    /// fetched again if its blobs take several attempts.
    async fn receive(
        &self,
        digest: &Digest,
        tag: Option<&TagName>,
        present: Present,
    ) -> Result<(Manifest, u64, Proven), NoTree> {
        let Blobs { registry, storage, progress, flow, possession, .. } = &self.blobs;
        let bytes = match flow.take(digest) {
            Some(bytes) => bytes,
            None => registry.manifest(digest, tag).await.map_err(|error| match error {
                UpstreamError::NotFound(_) | UpstreamError::Status { status: 400..=499, .. } => {
                    NoTree::Absent(failure(error.reason(), &error))
                }
                error => error.into(),
            })?,
        };
        let manifest = Manifest::parse(&bytes).map_err(|refusal| match refusal {
            Refusal::MediaType(_) | Refusal::Schema1 => {
                // It came, and may be taken for what it is: some bytes.
                flow.keep(digest, &bytes);
                NoTree::Absent(failure(FailureReason::ContentRefused, &refusal))
            }
            refusal => refusal.into(),
        })?;
        let size = bytes.len() as u64;
        let content = Verified::new(possession.owner(), digest, bytes)?;
        progress.want(size);
        progress.received(size);
        storage.put_manifest(&content, manifest.media_type, present).await?;
        progress.stored();
        Ok((manifest, size, content.proven().clone()))
    }
}

/// What of an index's entries is not kept, each digest once.
fn left_out(entries: Vec<Descriptor>, kept: &[Descriptor]) -> Vec<Digest> {
    let mut seen: BTreeSet<&Digest> = kept.iter().map(|kept| &kept.digest).collect();
    let is_first: Vec<bool> = entries.iter().map(|entry| seen.insert(&entry.digest)).collect();
    entries.into_iter().zip(is_first).filter_map(|(entry, is_first)| is_first.then_some(entry.digest)).collect()
}

/// Does `work` for the descriptors from 0 to `count`, some at a time, until all are done or one fails. What is about to end
/// then may end: a link whose writer is stopped would be there, and in nobody's books.
pub(crate) async fn follow<T, E, F>(count: usize, work: impl Fn(usize) -> F) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let has_failed = AtomicBool::new(false);
    let begun = stream::iter(0..count).take_while(|_| future::ready(!has_failed.load(Relaxed)));
    let mut results = begun.map(work).buffer_unordered(DESCRIPTORS_IN_FLIGHT);
    let mut done = Vec::new();
    while let Some(result) = results.next().await {
        match result {
            Ok(result) => done.push(result),
            Err(error) => {
                has_failed.store(true, Relaxed);
                let rest = async { while results.next().await.is_some() {} };
                let _ended = tokio::time::timeout(LAST_WORDS, rest).await;
                return Err(error);
            }
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_references_so_much_and_no_more() {
        let budget = DescriptorBudget::new();
        assert!(budget.take(MAX_DESCRIPTORS - 1).is_ok() && !budget.is_spent());
        let error = budget.take(2).unwrap_err();
        assert!(matches!(&error, WorkError::Failed(failure) if failure.message.contains("20000")), "{error:?}");
        assert!(budget.is_spent(), "others of the tag are not begun either");
    }
}
