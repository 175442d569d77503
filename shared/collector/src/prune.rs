//! One repository: links that no tag needs, and no tag of the retention time.
//!
//! It is looked through without a lock, as long as that takes; syncs go on meanwhile. Only if there is garbage it is locked
//! and looked through again, which is quick, because only what has changed is read; what is garbage then goes.

use std::time::{Duration, Instant};

use moorage_domain::{RepositoryName, collection::Skip, lock::LockKind};
use moorage_state::{Hold, StateError, now};
use moorage_storage::StorageError;

use crate::{
    collector::{CollectError, Collector},
    facts::Facts,
    holdings::Garbage,
};

/// How long links are taken out under one lock: a sync that finds it comes again after a minute.
const SESSION: Duration = Duration::from_secs(30);
/// The pause before the next lock: longer than such a sync waits.
const LET_IN: Duration = Duration::from_secs(65);
/// Links that are taken out by one request.
const BATCH: usize = 1_000;
/// Repositories with more links are looked through one at a time: 10 MB of digests, and as much of what tags need.
const LARGE: usize = 100_000;
/// The most links of a repository: 200 MB in all.
const MOST: usize = 2_000_000;

/// What was taken out of a repository.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Pruned {
    pub(crate) manifests: u64,
    pub(crate) blobs: u64,
}

/// What became of a repository.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It has no garbage any more.
    Pruned(Pruned),
    /// It was left alone.
    Skipped(Skip),
    /// There was not enough time; what is known of it so far.
    Unfinished(Box<Facts>),
}

impl Collector {
    /// Prunes a repository of which something may be known already, until it is `end`.
    pub(crate) async fn prune(
        &self,
        repository: &RepositoryName,
        mut facts: Facts,
        dry: bool,
        end: Instant,
    ) -> Result<Outcome, CollectError> {
        let pruning = Box::pin(self.prune_all_of(repository, dry, &mut facts, end));
        // A deletion that is on its way may still arrive: if it was locked, the lock ends by itself, long after that.
        let pruned = tokio::time::timeout_at(end.into(), pruning).await.unwrap_or(Ok(None));
        Ok(pruned?.unwrap_or_else(|| Outcome::Unfinished(Box::new(facts))))
    }

    /// Nothing if there is not enough time.
    async fn prune_all_of(
        &self,
        repository: &RepositoryName,
        dry: bool,
        facts: &mut Facts,
        end: Instant,
    ) -> Result<Option<Outcome>, CollectError> {
        let (mut most, mut alone, mut pruned) = (LARGE, None, Pruned::default());
        loop {
            let begun = Instant::now();
            match self.garbage(repository, facts, most).await? {
                Ok(garbage) if dry || garbage.is_empty() => {
                    pruned.manifests += garbage.manifests.len() as u64;
                    pruned.blobs += garbage.blobs.len() as u64;
                    return Ok(Some(Outcome::Pruned(pruned)));
                }
                Err(Skip::TooLarge) if alone.is_none() => {
                    // It is never closed.
                    alone = self.large.acquire().await.ok();
                    most = MOST;
                    continue;
                }
                // Somebody may be changing it right now: the lock tells.
                Ok(_) | Err(Skip::Unreadable { .. }) if !dry => {}
                Ok(_) => return Ok(Some(Outcome::Pruned(pruned))),
                Err(why) => return Ok(Some(Outcome::Skipped(why))),
            }
            // Under the lock it is looked through once more. Where that takes longer than there is time, the lock would outlast
            // this invocation, and keep the next one out.
            if Instant::now() + begun.elapsed() > end {
                return Ok(None);
            }
            let Some(hold) = self.hold(repository).await? else { return Ok(Some(Outcome::Skipped(Skip::Busy))) };
            let worked = tokio::select! {
                worked = self.prune_locked(repository, &hold, most, facts, &mut pruned) => worked,
                // What is on its way may still arrive: nobody else is to have the lock until it ends by itself.
                error = hold.keep(&self.table) => {
                    tracing::warn!(%repository, %error, "a collector cannot keep a repository to itself");
                    return Ok(Some(Outcome::Skipped(Skip::Busy)));
                }
            };
            hold.give_up(&self.table).await?;
            // It was away, and others have the repository by now.
            if let Err(CollectError::Storage(StorageError::Closed)) = worked {
                return Ok(Some(Outcome::Skipped(Skip::Busy)));
            }
            match worked? {
                Ok(true) => return Ok(Some(Outcome::Pruned(pruned))),
                Ok(false) => tokio::time::sleep(LET_IN).await,
                Err(why) => return Ok(Some(Outcome::Skipped(why))),
            }
        }
    }

    /// Locks a repository, or a name that none has; nothing if somebody else works in it, or it is about to be purged.
    async fn hold(&self, repository: &RepositoryName) -> Result<Option<Hold>, CollectError> {
        let hold = match Hold::of(&self.table, repository, LockKind::Prune).await {
            Err(StateError::NotFound) => Hold::of_stray(&self.table, repository).await,
            hold => hold,
        };
        match hold {
            Ok(hold) => Ok(Some(hold)),
            Err(StateError::Locked) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes out what is garbage under the lock; tells whether that was all of it.
    async fn prune_locked(
        &self,
        repository: &RepositoryName,
        hold: &Hold,
        most: usize,
        facts: &mut Facts,
        pruned: &mut Pruned,
    ) -> Result<Result<bool, Skip>, CollectError> {
        if self.table.repository(repository).await?.is_some() != hold.is_known() {
            return Ok(Err(Skip::Busy));
        }
        let Garbage { strays, manifests, blobs } = match self.garbage(repository, facts, most).await? {
            Ok(garbage) => garbage,
            Err(why) => return Ok(Err(why)),
        };
        let end = Instant::now() + SESSION;
        let may_go_on = || hold.fence().pass(now()).is_ok() && Instant::now() < end;
        let storage = self.storage.fenced(hold.fence());
        for stray in &strays {
            if !may_go_on() {
                return Ok(Ok(false));
            }
            storage.delete_tag(repository, stray).await?;
        }
        for some in manifests.chunks(BATCH) {
            if !may_go_on() {
                return Ok(Ok(false));
            }
            storage.unlink_manifests(repository, some).await?;
            pruned.manifests += some.len() as u64;
        }
        for some in blobs.chunks(BATCH) {
            if !may_go_on() {
                return Ok(Ok(false));
            }
            storage.unlink_blobs(repository, some).await?;
            pruned.blobs += some.len() as u64;
        }
        Ok(Ok(true))
    }
}
