//! One repository: links that no tag needs, and no tag of the retention time.

use std::{collections::BTreeSet, time::Duration};

use moorage_domain::{
    Digest, Owner, RepositoryName,
    lock::LockKind,
    manifest::{Content, Manifest},
};
use moorage_state::{StateError, now};
use moorage_storage::{Links, Storage, StorageError, Stored};

use crate::{
    collector::{CollectError, Collector},
    live::{LiveError, live},
};

/// How long the repository is locked at most: it takes seconds, and a collector that was killed keeps nobody out for longer.
/// After half of it pruning is given up.
const LOCK: Duration = Duration::from_secs(60);
/// The most past tags of one repository that are read. A repository with more of them keeps everything until there are
/// fewer.
const MAX_PAST_TAGS: usize = 200_000;

/// What was taken out of a repository.
#[derive(Debug, Default)]
pub(crate) struct Pruned {
    pub(crate) manifests: u64,
    pub(crate) blobs: u64,
}

impl Collector {
    /// Prunes a repository; nothing where it is left alone.
    pub(crate) async fn prune(&self, repository: &RepositoryName, dry: bool) -> Result<Option<Pruned>, CollectError> {
        let (lock, is_known) = match self.table.lock_repository(repository, LockKind::Prune, LOCK).await {
            Ok(lock) => (lock, true),
            // Without a repository nobody may take its name meanwhile. One that was deleted is purged anyway.
            Err(StateError::NotFound) => match self.table.lock_stray(repository, LOCK).await {
                Ok(lock) => (lock, false),
                Err(StateError::Locked) => return Ok(None),
                Err(error) => return Err(error.into()),
            },
            Err(StateError::Locked) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Ok(pruned) = tokio::time::timeout(LOCK / 2, self.prune_locked(repository, is_known, dry)).await else {
            // A deletion that is on its way may still arrive: the lock ends by itself, long after that.
            return Ok(None);
        };
        if is_known {
            self.table.unlock_repository(repository, &lock).await?;
        } else {
            self.table.unlock_stray(repository, &lock).await?;
        }
        pruned
    }

    async fn prune_locked(
        &self,
        repository: &RepositoryName,
        is_known: bool,
        dry: bool,
    ) -> Result<Option<Pruned>, CollectError> {
        let known = self.table.repository(repository).await?;
        let owner = known.map(|known| Owner { repository: repository.clone(), generation: known.id });
        if owner.is_some() != is_known {
            return Ok(None);
        }
        let links = self.storage.links(repository, owner.as_ref()).await?;
        let mut roots: BTreeSet<Digest> = links.tags.values().cloned().collect();
        if is_known {
            let past = self.table.past_tags(repository, MAX_PAST_TAGS, now(), |_| true).await?;
            if past.len() == MAX_PAST_TAGS {
                return Ok(None);
            }
            // One whose content is gone already cannot be restored any more, and needs nothing.
            roots.extend(past.into_iter().map(|past| past.digest).filter(|digest| links.manifests.contains(digest)));
        } else if !self.is_stray(&links) {
            return Ok(None);
        }
        let live = match live(&self.storage, roots, &links.manifests).await {
            Ok(live) => live,
            Err(LiveError::Unreadable(digest)) => {
                tracing::warn!(%repository, %digest, "a manifest that is needed cannot be read: nothing is pruned");
                return Ok(None);
            }
            Err(LiveError::Storage(error)) => return Err(error.into()),
        };
        let dead: Vec<Digest> = links.manifests.difference(&live.manifests).cloned().collect();
        let blobs: Vec<Digest> = links.blobs.difference(&live.blobs).cloned().collect();
        let pruned = Pruned { manifests: dead.len() as u64, blobs: blobs.len() as u64 };
        if !dry {
            for stray in &links.strays {
                self.storage.delete_tag(repository, stray).await?;
            }
            let manifests = parents_first(&self.storage, dead).await?;
            self.storage.unlink_manifests(repository, &manifests).await?;
            self.storage.unlink_blobs(repository, &blobs).await?;
        }
        Ok(Some(pruned))
    }

    /// Whether what the bucket has of a repository that the table does not know was left by a sync that did not notice
    /// its end. With tags it may be somebody else's.
    fn is_stray(&self, links: &Links) -> bool {
        links.tags.is_empty() && links.newest.is_none_or(|newest| newest.plus(self.settings.grace) < now())
    }
}

/// Indexes before images: nobody finds an index whose images are gone.
async fn parents_first(storage: &Storage, manifests: Vec<Digest>) -> Result<Vec<Digest>, StorageError> {
    let (mut indexes, mut images) = (Vec::new(), Vec::new());
    for digest in manifests {
        let content = match storage.manifest_of_anybody(&digest).await? {
            Stored::Sound(bytes) => Manifest::parse(&bytes).ok().map(|manifest| manifest.content),
            Stored::Damaged | Stored::Missing => None,
        };
        match content {
            Some(Content::Image(_)) => images.push(digest),
            Some(Content::Index(_)) | None => indexes.push(digest),
        }
    }
    indexes.append(&mut images);
    Ok(indexes)
}
