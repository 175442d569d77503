//! One tag: its manifests and blobs, children before parents, the tag itself last.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use moorage_domain::{
    Digest, FailureReason, MediaType, RepositoryName, TagName,
    failure::Failure,
    manifest::{Content, MAX_INDEX_DEPTH, Manifest, Refusal},
    plan::HeldTag,
};
use moorage_state::Table;
use moorage_storage::Storage;
use moorage_upstream::Registry;

use crate::{blobs::Blobs, claim::Claim, clock::now, error::WorkError, once::Once, progress::Progress};

/// Descriptors of one manifest that are followed at once. Blobs have a limit of their own.
const DESCRIPTORS_IN_FLIGHT: usize = 8;

/// Copies images into one repository.
#[derive(Debug)]
pub(crate) struct Copier {
    registry: Registry,
    storage: Storage,
    table: Table,
    repository: RepositoryName,
    claim: Arc<Claim>,
    progress: Arc<Progress>,
    blobs: Blobs,
    manifests: Once<Result<Arc<Tree>, WorkError>>,
    timeout: Duration,
}

/// A manifest whose whole content is in the repository.
#[derive(Debug)]
struct Tree {
    media_type: MediaType,
    /// The length of everything below it and of itself, by digest.
    sizes: BTreeMap<Digest, u64>,
}

impl Copier {
    pub(crate) fn new(
        registry: Registry,
        storage: Storage,
        table: Table,
        claim: Arc<Claim>,
        progress: Arc<Progress>,
        repository: RepositoryName,
        timeout: Duration,
    ) -> Self {
        let blobs = Blobs::new(registry.clone(), storage.clone(), repository.clone(), Arc::clone(&progress));
        let manifests = Once::new();
        Self { registry, storage, table, repository, claim, progress, blobs, manifests, timeout }
    }

    /// Copies what `digest` names and points the tag to it.
    pub(crate) async fn tag(&self, tag: &TagName, digest: &Digest) -> Result<(), WorkError> {
        let copied = tokio::time::timeout(self.timeout, self.manifest(digest, 0)).await;
        let tree = copied.map_err(|_| {
            let message = format!("the tag took longer than {} s", self.timeout.as_secs());
            WorkError::Failed(Failure { reason: FailureReason::NetworkTimeout, message })
        })??;
        self.claim.check()?;
        self.storage.publish_tag(&self.repository, tag, digest).await?;
        let size = tree.sizes.values().sum();
        let held = HeldTag { digest: digest.clone(), media_type: tree.media_type, size, since: now() };
        self.table.put_tag(&self.repository, tag, held).await?;
        Ok(())
    }

    /// Copies a manifest and everything below it, once per run.
    fn manifest<'a>(&'a self, digest: &'a Digest, depth: usize) -> BoxFuture<'a, Result<Arc<Tree>, WorkError>> {
        self.manifests.get(digest, move || self.copy_manifest(digest, depth)).boxed()
    }

    async fn copy_manifest(&self, digest: &Digest, depth: usize) -> Result<Arc<Tree>, WorkError> {
        if depth > MAX_INDEX_DEPTH {
            return Err(Refusal::TooDeep.into());
        }
        let bytes = self.fetch(digest).await?;
        let manifest = Manifest::parse(&bytes)?;
        let mut sizes = BTreeMap::from([(digest.clone(), bytes.len() as u64)]);
        match &manifest.content {
            Content::Image(blobs) => {
                follow(blobs.len(), |index| self.blobs.ensure(&blobs[index])).await?;
                sizes.extend(blobs.iter().map(|blob| (blob.digest.clone(), blob.size)));
            }
            Content::Index(children) => {
                let child = |index: usize| self.manifest(&children[index].digest, depth + 1);
                for tree in follow(children.len(), child).await? {
                    sizes.extend(tree.sizes.iter().map(|(digest, size)| (digest.clone(), *size)));
                }
            }
        }
        if self.storage.put_manifest(digest, manifest.media_type, bytes).await? {
            self.progress.stored();
        }
        self.storage.link_manifest(&self.repository, digest).await?;
        Ok(Arc::new(Tree { media_type: manifest.media_type, sizes }))
    }

    /// A manifest's bytes: the bucket's, if an earlier sync or another repository stored them, else the registry's.
    async fn fetch(&self, digest: &Digest) -> Result<Bytes, WorkError> {
        if let Some(bytes) = self.storage.manifest(digest).await? {
            self.progress.want(bytes.len() as u64);
            self.progress.done(bytes.len() as u64);
            return Ok(bytes);
        }
        let bytes = self.registry.manifest(digest).await?;
        self.progress.want(bytes.len() as u64);
        self.progress.received(bytes.len() as u64);
        Ok(bytes)
    }
}

/// Does `work` for the descriptors from 0 to `count`, some at a time, until all are done or one fails.
async fn follow<T, F>(count: usize, work: impl Fn(usize) -> F) -> Result<Vec<T>, WorkError>
where
    F: Future<Output = Result<T, WorkError>>,
{
    stream::iter(0..count).map(work).buffer_unordered(DESCRIPTORS_IN_FLIGHT).try_collect().await
}
