//! What a set of manifests needs: themselves, the manifests below them, and their blobs.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Digest,
    manifest::{Content, MAX_INDEX_DEPTH, Manifest},
};
use moorage_storage::{Storage, StorageError, Stored};
use tokio::sync::Semaphore;

use crate::digests::Digests;

/// What is needed. It only grows: what a manifest needs is given by its digest, and never changes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Live {
    /// Manifests that were read.
    pub(crate) manifests: Digests,
    /// What they need besides. What an index lists may be a blob.
    pub(crate) blobs: Digests,
    /// What indexes list.
    pub(crate) listed: Digests,
}

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
    /// A manifest that is needed is missing or damaged.
    #[error("the manifest {0} cannot be read")]
    Unreadable(Digest),
    /// S3 failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// How manifests are read: some at a time in all repositories, because each may have some megabytes.
pub(crate) struct Reader<'s> {
    pub(crate) storage: &'s Storage,
    pub(crate) permits: &'s Semaphore,
    /// How many one repository waits for at once.
    pub(crate) at_once: usize,
}

impl Live {
    /// Adds what `roots` need of a repository that links to `linked` manifests. Of an index only the children that are
    /// linked: others were left out of it. If it is broken off, it keeps what it has read.
    pub(crate) async fn add(
        &mut self,
        reader: &Reader<'_>,
        roots: Vec<Digest>,
        linked: &Digests,
    ) -> Result<(), LiveError> {
        let mut open = roots;
        // The roots, and as many levels below them as a sync copies.
        for _ in 0..=MAX_INDEX_DEPTH + 1 {
            // A child that was not linked when its index was read may be now.
            open.extend(self.listed.and(linked));
            open.retain(|digest| !self.manifests.contains(digest));
            open.sort_unstable();
            open.dedup();
            let reads = stream::iter(std::mem::take(&mut open)).map(|digest| reader.read(digest));
            let mut reads = reads.buffer_unordered(reader.at_once);
            while let Some((digest, content)) = reads.try_next().await? {
                match content {
                    Content::Image(blobs) => self.blobs.extend(blobs.iter().map(|blob| &blob.digest)),
                    Content::Index(children) => {
                        for child in &children {
                            self.listed.insert(&child.digest);
                            self.blobs.insert(&child.digest);
                        }
                    }
                }
                self.manifests.insert(&digest);
            }
        }
        match self.listed.and(linked).into_iter().find(|digest| !self.manifests.contains(digest)) {
            Some(deeper) => Err(LiveError::Unreadable(deeper)),
            None => Ok(()),
        }
    }
}

impl Reader<'_> {
    async fn read(&self, digest: Digest) -> Result<(Digest, Content), LiveError> {
        match self.content(&digest).await? {
            Some(content) => Ok((digest, content)),
            None => Err(LiveError::Unreadable(digest)),
        }
    }

    /// What a manifest says, if it can be read.
    pub(crate) async fn content(&self, digest: &Digest) -> Result<Option<Content>, StorageError> {
        // It is never closed.
        let _permit = self.permits.acquire().await;
        match self.storage.manifest_of_anybody(digest).await? {
            Stored::Sound(bytes) => Ok(Manifest::parse(&bytes).ok().map(|manifest| manifest.content)),
            Stored::Damaged | Stored::Missing => Ok(None),
        }
    }
}
