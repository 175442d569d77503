//! What a set of manifests needs: themselves, the manifests below them, and their blobs.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Digest,
    manifest::{Content, MAX_INDEX_DEPTH, Manifest},
};
use moorage_storage::{Storage, StorageError, Stored};

/// Manifests that are read at once.
const READS_IN_FLIGHT: usize = 16;

/// What is needed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) manifests: BTreeSet<Digest>,
    pub(crate) blobs: BTreeSet<Digest>,
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

/// What `roots` need of a repository that links to `linked` manifests. Of an index only the children that are linked:
/// others were left out of it.
pub(crate) async fn live(
    storage: &Storage,
    roots: impl IntoIterator<Item = Digest>,
    linked: &BTreeSet<Digest>,
) -> Result<Live, LiveError> {
    let (mut live, mut open) = (Live::default(), roots.into_iter().collect::<BTreeSet<_>>());
    // The roots, and as many levels below them as a sync copies.
    for _ in 0..=MAX_INDEX_DEPTH + 1 {
        open.retain(|digest| !live.manifests.contains(digest));
        let read = stream::iter(open.iter()).map(|digest| read(storage, digest)).buffer_unordered(READS_IN_FLIGHT);
        let contents: Vec<Content> = read.try_collect().await?;
        live.manifests.append(&mut open);
        for content in contents {
            match content {
                Content::Image(blobs) => live.blobs.extend(blobs.into_iter().map(|blob| blob.digest)),
                Content::Index(children) => {
                    let listed: BTreeSet<Digest> = children.into_iter().map(|child| child.digest).collect();
                    open.extend(listed.iter().filter(|child| linked.contains(child)).cloned());
                    // What an index lists may be a blob.
                    live.blobs.extend(listed);
                }
            }
        }
    }
    match open.into_iter().find(|digest| !live.manifests.contains(digest)) {
        Some(deeper) => Err(LiveError::Unreadable(deeper)),
        None => Ok(live),
    }
}

async fn read(storage: &Storage, digest: &Digest) -> Result<Content, LiveError> {
    let unreadable = || LiveError::Unreadable(digest.clone());
    match storage.manifest_of_anybody(digest).await? {
        Stored::Sound(bytes) => Ok(Manifest::parse(&bytes).map_err(|_| unreadable())?.content),
        Stored::Damaged | Stored::Missing => Err(unreadable()),
    }
}
