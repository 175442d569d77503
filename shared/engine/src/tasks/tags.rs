//! Tags of ordinary repositories, changed by hand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moorage_domain::{
    Digest, Owner, RepositoryName, TagName, lock::LockKind, mirror::RepositoryState, plan::HeldTag, task::TaskAnswer,
};
use moorage_state::{Crowd, Recorded, Right, StateError, Tags};
use rand::Rng as _;

use crate::{
    engine::Engine,
    error::WorkError,
    tasks::answer,
    transfer::{
        describe::BlobLinks,
        publish::{Believed, publish},
    },
};

/// How long a change has the repository to itself. It takes a second; after half of this it is given up.
const LOCK: Duration = Duration::from_secs(40);
/// How long to wait for whoever has the repository: a collector or another change, for some seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest pause between two tries. They are of random length, so that of many changes none always comes last.
const PAUSE: Duration = Duration::from_millis(200);

impl Engine {
    /// Points a tag of an ordinary repository to a manifest that the repository has, or deletes it where there is no `digest`.
    /// `reversion` tells whether it pointed to the manifest before.
    pub async fn change_tag(
        &self,
        repository: &RepositoryName,
        tag: &TagName,
        digest: Option<&Digest>,
        reversion: bool,
    ) -> TaskAnswer {
        answer(match digest {
            Some(digest) => self.point_tag(repository, tag, digest, reversion).await,
            None => self.delete_tag(repository, tag).await,
        })
    }

    /// Points a tag to a manifest that the repository has. The bucket comes first: it is what is served.
    async fn point_tag(
        &self,
        repository: &RepositoryName,
        tag: &TagName,
        digest: &Digest,
        reversion: bool,
    ) -> Result<TaskAnswer, WorkError> {
        self.change_tags(repository, async |tags| {
            let Some(owner) = self.normal(repository).await? else { return Ok(TaskAnswer::NotFound) };
            let Some(held) = self.describe(&owner, digest, BlobLinks::Required).await? else {
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
            let held = HeldTag { reversion, link: Some(link), ..held };
            tags.put(tag, Recorded { held, is_first: false, log: None }).await?;
            self.measure(repository).await?;
            Ok(TaskAnswer::Done)
        })
        .await
    }

    /// Deletes a tag. The table comes last: what was interrupted can be asked for again.
    async fn delete_tag(&self, repository: &RepositoryName, tag: &TagName) -> Result<TaskAnswer, WorkError> {
        self.change_tags(repository, async |tags| {
            if self.table.tag(repository, tag).await?.is_none() {
                return Ok(TaskAnswer::NotFound);
            }
            self.storage.delete_tag(repository, tag).await?;
            tags.delete(tag, None).await?;
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
        let tags = self.table.tags_by(repository, Right::Lock(lock), Crowd::default());
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
}
