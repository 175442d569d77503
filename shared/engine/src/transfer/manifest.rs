//! Copies manifests with everything below them: children before parents, each once per run.

mod entry;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use futures_util::{FutureExt as _, future::BoxFuture};
use moorage_domain::{
    Digest, FailureReason, MediaType, TagName, architecture,
    failure::Failure,
    manifest::{Content, Descriptor, MAX_INDEX_DEPTH, Manifest, Refusal},
};
use moorage_storage::{Present, Stored, Verified};
use moorage_upstream::UpstreamError;
use tokio::sync::SemaphorePermit;

use self::entry::Part;
use crate::{
    error::WorkError,
    transfer::{
        blobs::Blobs,
        copier::Copier,
        follow::follow,
        possession::{Kind, Proof},
        tree::{Below, DescriptorLimit, NoTree, Tree},
    },
};

/// The largest manifest, in bytes, that is stored beside the copying of its blobs. It may wait for room before that, in memory,
/// as all may that have a place of those that come: half a megabyte together. An image's has a few kilobytes; an index of
/// hundreds is stored at once.
const MAX_BESIDE: usize = 16 * 1024;

/// A manifest, reduced, and what is known of it. Its bytes are gone, unless it came just now.
struct Opened<'a> {
    manifest: Manifest,
    size: u64,
    proof: Proof,
    is_new: bool,
    /// What is still to be stored of it.
    came: Option<Came<'a>>,
}

/// A manifest that the registry has sent, and that is still to be stored. While it is there, it has a place of those that are
/// whole in memory.
struct Came<'a> {
    content: Verified,
    media_type: MediaType,
    present: Present,
    _place: Option<SemaphorePermit<'a>>,
}

impl Opened<'_> {
    /// How much it lists.
    fn width(&self) -> usize {
        match &self.manifest.content {
            Content::Image(listed) | Content::Index(listed) => listed.len(),
        }
    }
}

impl Copier {
    /// Copies a manifest and everything below it, once per run. `tag` is a name of it, if it has one.
    pub(crate) async fn manifest(
        &self,
        digest: &Digest,
        tag: Option<&TagName>,
        limit: &DescriptorLimit,
    ) -> Result<Arc<Tree>, WorkError> {
        self.tree(digest, tag, 0, limit).await.map_err(NoTree::into_error)
    }

    /// As [`Self::manifest`], so many levels below a tag's own.
    pub(crate) fn tree<'a>(
        &'a self,
        digest: &'a Digest,
        tag: Option<&'a TagName>,
        depth: usize,
        limit: &'a DescriptorLimit,
    ) -> BoxFuture<'a, Result<Arc<Tree>, NoTree>> {
        async move {
            let is_mine = AtomicBool::new(false);
            // What is too much for one tag may be little for another; what is not there may be had in another way.
            let kept = |result: &Result<_, _>| match result {
                Ok(_) => true,
                Err(NoTree::Absent(_)) => false,
                Err(NoTree::Failed(_)) => !limit.is_spent(),
            };
            let copy = || {
                is_mine.store(true, Relaxed);
                // Boxed: those that wait for another's copy of it are many, and need no room for one of their own.
                Box::pin(self.copy_manifest(digest, tag, depth, limit))
            };
            let tree = self.manifests.get(digest, kept, copy).await?;
            if !is_mine.load(Relaxed) {
                limit.take(tree.descriptors)?;
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
        limit: &DescriptorLimit,
    ) -> Result<Arc<Tree>, NoTree> {
        if depth > MAX_INDEX_DEPTH {
            return Err(Refusal::TooDeep.into());
        }
        let proof = self.blobs.possession.manifest(digest).await?;
        // Boxed: it is held twice otherwise.
        let opening = Box::pin(self.open(digest, tag, proof));
        let (opened, _room) = if depth == 0 {
            self.room.with_room(digest, opening, Opened::width).await?
        } else {
            (opening.await?, None)
        };
        let Opened { manifest, size, proof, mut is_new, mut came } = opened;
        let (media_type, mut is_sparse, mut descriptors) = (manifest.media_type, false, 1_usize);
        let below = match manifest.content {
            Content::Image(blobs) => {
                descriptors += blobs.len();
                let copy = async {
                    limit.take(blobs.len() + 1)?;
                    let size = blobs.iter().fold(size, |sum, blob| sum.saturating_add(blob.size));
                    self.blobs.allowance.check_size(size)?;
                    let proofs = self.blobs.proofs(Some(&proof), &blobs).await?;
                    let blob = |index: usize| self.blob(&proof.proven, &blobs[index], proofs.get(&blobs[index].digest));
                    follow(blobs.len(), blob).await
                };
                // What it has inline is read from the bucket.
                if blobs.iter().any(Descriptor::has_data) {
                    self.store(came.take()).await?;
                }
                let (stored, copied) = tokio::join!(self.store(came), copy);
                stored?;
                is_new |= copied?.contains(&true);
                Below::Blobs(blobs.into_iter().map(|blob| (blob.digest, blob.size)).collect())
            }
            Content::Index(entries) => {
                self.store(came).await?;
                limit.take(entries.len() + 1)?;
                descriptors += entries.len();
                let kept = architecture::select(&entries, &self.config.architecture_filter)?;
                let left_out = left_out(entries, &kept);
                is_sparse = !left_out.is_empty();
                let _needed = self.room.need(kept.iter().map(|kept| kept.digest.clone()).collect());
                let (mut trees, mut blobs) = (Vec::new(), Vec::new());
                for part in self.parts(&proof.proven, &kept, depth + 1, limit).await? {
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
        is_new |= self.link(&proof).await?;
        let proven = proof.proven;
        Ok(Arc::new(Tree { proven, media_type, size, below, descriptors, is_sparse, is_new }))
    }

    /// Links a manifest, after everything below it; the link makes it part of the repository. Tells whether the link was
    /// not what it should be, if links are verified.
    async fn link(&self, proof: &Proof) -> Result<bool, WorkError> {
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
            let _place = self.received.acquire().await;
            let (_, came) = self.receive(proven.digest(), None, Present::Keep).await.map_err(NoTree::into_error)?;
            self.store(Some(came)).await?;
        }
        Ok(is_mended)
    }

    /// A manifest: the bucket's, if the repository is proven to have it, else the registry's. Its bytes are held only here,
    /// and few at a time.
    async fn open(&self, digest: &Digest, tag: Option<&TagName>, proof: Option<Proof>) -> Result<Opened<'_>, NoTree> {
        let Blobs { storage, progress, possession, flow, .. } = &self.blobs;
        let mut present = Present::Keep;
        if let Some(proof) = &proof {
            let _place = self.documents.acquire().await;
            match storage.manifest(&proof.proven).await? {
                Stored::Sound(bytes) => {
                    // It need not come again, and leaves its place to what has to.
                    flow.take(digest);
                    let size = bytes.len() as u64;
                    progress.want(size);
                    progress.done(size);
                    let manifest = Manifest::parse(&bytes)?;
                    return Ok(Opened { manifest, size, proof: proof.clone(), is_new: false, came: None });
                }
                Stored::Damaged => present = Present::Replace,
                Stored::Missing => {}
            }
        }
        // Nobody closes it.
        let place = self.received.acquire().await.ok();
        let (manifest, came) = self.receive(digest, tag, present).await?;
        let size = came.content.bytes().len();
        let proof = proof.unwrap_or_else(|| {
            let received = came.content.proven().clone();
            possession.received(&received);
            Proof::unlinked(received)
        });
        let mut came = Some(Came { _place: place, ..came });
        if size > MAX_BESIDE {
            self.store(came.take()).await?;
        }
        Ok(Opened { manifest, size: size as u64, proof, is_new: true, came })
    }

    /// Fetches a manifest.
    async fn receive(
        &self,
        digest: &Digest,
        tag: Option<&TagName>,
        present: Present,
    ) -> Result<(Manifest, Came<'_>), NoTree> {
        let Blobs { registry, progress, flow, possession, .. } = &self.blobs;
        let bytes = match flow.take(digest) {
            Some(bytes) => bytes,
            None => registry.manifest(digest, tag).await.map_err(|error| match error {
                UpstreamError::NotFound(_)
                | UpstreamError::NotFoundElsewhere { .. }
                | UpstreamError::Status { status: 400..=499, .. } => {
                    NoTree::Absent(Failure::of(error.reason(), &error))
                }
                error => error.into(),
            })?,
        };
        let manifest = Manifest::parse(&bytes).map_err(|refusal| match refusal {
            Refusal::MediaType(_) | Refusal::Schema1 => {
                // It came, and may be taken for what it is: some bytes.
                flow.keep(digest, &bytes);
                NoTree::Absent(Failure::of(FailureReason::ContentRefused, &refusal))
            }
            refusal => refusal.into(),
        })?;
        let size = bytes.len() as u64;
        let content = Verified::new(possession.owner(), digest, bytes)?;
        progress.want(size);
        progress.received(size);
        let media_type = manifest.media_type;
        Ok((manifest, Came { content, media_type, present, _place: None }))
    }

    /// Stores a manifest that has come, whatever becomes of what is below it: many registries count how often a manifest is
    /// fetched, so it should not be fetched again if its blobs take several tries.
    async fn store(&self, came: Option<Came<'_>>) -> Result<(), WorkError> {
        let Some(Came { content, media_type, present, _place }) = came else { return Ok(()) };
        let Blobs { storage, progress, .. } = &self.blobs;
        // Boxed: a request to S3 is large, and who copies hundreds of images beside each other would hold it for all that time.
        Box::pin(storage.put_manifest(&content, media_type, present)).await?;
        progress.stored();
        Ok(())
    }
}

/// What of an index's entries is not kept, each digest once.
fn left_out(entries: Vec<Descriptor>, kept: &[Descriptor]) -> Vec<Digest> {
    let mut seen: BTreeSet<&Digest> = kept.iter().map(|kept| &kept.digest).collect();
    let is_first: Vec<bool> = entries.iter().map(|entry| seen.insert(&entry.digest)).collect();
    entries.into_iter().zip(is_first).filter_map(|(entry, is_first)| is_first.then_some(entry.digest)).collect()
}
