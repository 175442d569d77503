//! Tags of ordinary repositories, changed by hand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moorage_domain::{
    Digest, Owner, RepositoryName, TagName,
    lock::LockKind,
    manifest::{Content, MAX_DESCRIPTORS, Manifest, Refusal},
    mirror::RepositoryState,
    plan::{HeldTag, MAX_MANIFESTS},
    task::TaskAnswer,
};
use moorage_state::{Right, StateError, Tags};
use moorage_storage::Stored;
use rand::Rng as _;

use crate::{
    clock::now,
    error::WorkError,
    sync::Engine,
    transfer::{
        publish::{Believed, publish},
        tree::follow,
    },
};

/// How deep the size of an index is added up.
const DEPTH: usize = 2;

/// How long a change has the repository to itself. It takes a second; after half of this it is given up.
const LOCK: Duration = Duration::from_secs(40);
/// How long to wait for whoever has the repository: a collector or another change, for some seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest pause between two tries. They are of random length, so that of many changes none always comes last.
const PAUSE: Duration = Duration::from_millis(200);

/// What is expected of an image's blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blobs {
    /// The repository links them. A collection before may have taken out those of an image that no tag needed.
    Linked,
    /// Nothing: what is missing is brought again.
    Any,
}

impl Engine {
    /// Points a tag to a manifest that the repository has. The bucket comes first: it is what is served.
    pub(crate) async fn point_tag(
        &self,
        repository: &RepositoryName,
        tag: &TagName,
        digest: &Digest,
        reversion: bool,
    ) -> Result<TaskAnswer, WorkError> {
        self.change_tags(repository, async |tags| {
            let Some(owner) = self.normal(repository).await? else { return Ok(TaskAnswer::NotFound) };
            let Some(held) = self.describe(&owner, digest, Blobs::Linked).await? else {
                return Ok(TaskAnswer::NotFound);
            };
            let Some(manifest) = self.storage.links_manifest(&owner, digest).await? else {
                return Ok(TaskAnswer::NotFound);
            };
            self.admit_by_hand(repository, tag, held.size).await?;
            let before = self.table.tag(repository, tag).await?;
            let may_go_on = async || match self.normal(repository).await? {
                Some(now) if now == owner => Ok(()),
                _ => Err(WorkError::ClaimLost),
            };
            let link = publish(&self.storage, &manifest, tag, Believed::of(before.as_ref()), may_go_on).await?;
            tags.put(tag, HeldTag { reversion, link: Some(link), ..held }).await?;
            self.measure(repository).await?;
            Ok(TaskAnswer::Done)
        })
        .await
    }

    /// Deletes a tag.
    pub(crate) async fn delete_tag(&self, repository: &RepositoryName, tag: &TagName) -> Result<TaskAnswer, WorkError> {
        self.change_tags(repository, async |tags| {
            self.storage.delete_tag(repository, tag).await?;
            tags.delete(tag).await?;
            self.measure(repository).await?;
            Ok(TaskAnswer::Done)
        })
        .await
    }

    /// Has `change` done by one who has the repository to themselves: nobody else prunes it, makes it a mirror, or deletes it
    /// meanwhile. The API has asked whether it is an ordinary one, but that may have changed since: a mirror's tags are its
    /// own.
    async fn change_tags(
        &self,
        repository: &RepositoryName,
        change: impl AsyncFnOnce(Tags) -> Result<TaskAnswer, WorkError>,
    ) -> Result<TaskAnswer, WorkError> {
        let patience = Instant::now() + PATIENCE;
        let lock = loop {
            match self.table.lock_repository(repository, LockKind::Tag, LOCK).await {
                Ok(lock) => break lock,
                Err(StateError::Locked) if Instant::now() < patience => {
                    tokio::time::sleep(rand::rng().random_range(Duration::ZERO..=PAUSE)).await;
                }
                Err(StateError::Locked) => return Ok(TaskAnswer::Busy),
                Err(StateError::NotFound) => return Ok(TaskAnswer::NotFound),
                Err(error) => return Err(error.into()),
            }
        };
        let tags = self.table.tags_by(repository, Right::Lock(lock));
        let Ok(changed) = tokio::time::timeout(LOCK / 2, change(tags)).await else {
            // What is on its way may still arrive: the lock ends by itself, long after that.
            return Ok(TaskAnswer::Unfinished);
        };
        self.table.unlock_repository(repository, &lock).await?;
        changed
    }

    /// The repository, if its tags may be changed by hand.
    async fn normal(&self, repository: &RepositoryName) -> Result<Option<Arc<Owner>>, WorkError> {
        let found = self.table.repository(repository).await?;
        let found = found.filter(|found| found.state == RepositoryState::Normal);
        Ok(found.map(|found| Arc::new(Owner { repository: found.repository, generation: found.id })))
    }

    /// A manifest that the repository links, as a tag that points to it since now. What it lists and the repository does
    /// not link was left out. Nothing if blobs are missing that have to be there.
    pub(crate) async fn describe(
        &self,
        owner: &Arc<Owner>,
        digest: &Digest,
        expected: Blobs,
    ) -> Result<Option<HeldTag>, WorkError> {
        let Stored::Sound(bytes) = self.linked(owner, digest).await? else { return Ok(None) };
        let manifest = Manifest::parse(&bytes)?;
        let mut sizes = std::collections::BTreeMap::from([(digest.clone(), bytes.len() as u64)]);
        let (mut manifests, mut nested, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        let (mut open, mut depth) = (vec![manifest.content], 0);
        while !open.is_empty() && depth < DEPTH {
            let mut below = Vec::new();
            for content in open {
                match content {
                    Content::Image(blobs) => {
                        let is_linked = async |index: usize| {
                            let linked = self.storage.links_blob(owner, &blobs[index].digest).await?;
                            Ok::<_, WorkError>(linked.is_some())
                        };
                        if expected == Blobs::Linked && follow(blobs.len(), is_linked).await?.contains(&false) {
                            return Ok(None);
                        }
                        sizes.extend(blobs.into_iter().map(|blob| (blob.digest, blob.size)));
                    }
                    Content::Index(children) => {
                        for child in children.into_iter().take(MAX_MANIFESTS) {
                            if sizes.contains_key(&child.digest) || left_out.contains(&child.digest) {
                                continue;
                            }
                            let Stored::Sound(bytes) = self.linked(owner, &child.digest).await? else {
                                if self.storage.links_blob(owner, &child.digest).await?.is_some() {
                                    sizes.insert(child.digest, child.size);
                                } else if depth == 0 {
                                    left_out.push(child.digest);
                                }
                                continue;
                            };
                            sizes.insert(child.digest.clone(), bytes.len() as u64);
                            if sizes.len() > MAX_DESCRIPTORS {
                                return Err(Refusal::TooMany.into());
                            }
                            if depth > 0 {
                                nested.push(child.digest.clone());
                            }
                            manifests.push(child.digest);
                            below.push(Manifest::parse(&bytes)?.content);
                        }
                    }
                }
            }
            (open, depth) = (below, depth + 1);
        }
        manifests.truncate(MAX_MANIFESTS);
        Ok(Some(HeldTag {
            digest: digest.clone(),
            media_type: manifest.media_type,
            size: sizes.values().fold(0, |sum, size| sum.saturating_add(*size)),
            first_seen: now(),
            last_seen: None,
            missing: None,
            source: None,
            architectures: Vec::new(),
            manifests,
            nested,
            left_out,
            reversion: false,
            generation: owner.generation,
            link: None,
        }))
    }

    /// A manifest that a repository links, as the bucket has it.
    async fn linked(&self, owner: &Arc<Owner>, digest: &Digest) -> Result<Stored, WorkError> {
        Ok(match self.storage.links_manifest(owner, digest).await? {
            Some(proven) => self.storage.manifest(&proven).await?,
            None => Stored::Missing,
        })
    }
}
