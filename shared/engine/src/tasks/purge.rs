//! The end of a repository that was deleted.

use std::time::{Duration, Instant};

use moorage_domain::{RepositoryName, lock::LockKind, task::TaskAnswer};
use moorage_state::{Hold, StateError, now};
use tokio::time::timeout_at;

use crate::{
    engine::Engine,
    error::{SyncError, WorkError},
    tasks::answer,
};

/// The delay of another invocation that is to begin at once: a one-time schedule needs a moment that lies ahead.
const SOON: Duration = Duration::from_secs(5);
/// How long an invocation waits for a run that may still write, or for another purge. A run that was ended notices in a
/// few seconds; for one that was killed, its claim must end, and another invocation comes then.
const PATIENCE: Duration = Duration::from_secs(15);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// What is left of an invocation for giving the lock up.
const RESERVE: Duration = Duration::from_secs(1);
/// How often a deletion is begun again after its mirror was changed by somebody else.
const MAX_RACES: u32 = 20;

impl Engine {
    /// Deletes what the bucket and the table have of a repository that was deleted, once nobody can add to it any more. Its
    /// name is free when that is done; it can be interrupted and begun again at any time.
    pub(crate) async fn try_purge(&self, repository: &RepositoryName, end: Instant) -> Result<TaskAnswer, WorkError> {
        let patience = end.min(Instant::now() + PATIENCE);
        loop {
            let Some(found) = self.table.deleted_repository(repository).await? else {
                return Ok(TaskAnswer::NotFound);
            };
            if !found.is_deleted {
                // An organization that is gone has left it behind.
                self.mark_deleted(repository).await?;
            }
            if Instant::now() >= end {
                return Ok(TaskAnswer::Unfinished);
            }
            match Hold::of(&self.table, repository, LockKind::Purge).await {
                Ok(hold) => return Box::pin(self.purge_locked(repository, hold, end)).await,
                Err(StateError::Locked) if Instant::now() < patience => tokio::time::sleep(PAUSE).await,
                Err(StateError::Locked) => return Ok(TaskAnswer::Busy),
                // Another purge was faster.
                Err(StateError::NotFound) => return Ok(TaskAnswer::NotFound),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Deletes what is left of a repository that was deleted. If there is not enough time, another invocation goes on: at
    /// once, or when nobody can add to the repository any more.
    pub async fn purge(&self, repository: &RepositoryName, end: Instant) -> Result<TaskAnswer, SyncError> {
        let purged = self.try_purge(repository, end).await;
        if matches!(purged, Ok(TaskAnswer::Busy | TaskAnswer::Unfinished)) {
            let soon = now().plus(SOON);
            let found = self.table.deleted_repository(repository).await?;
            let free = found.and_then(|found| found.left_until.max(found.lock.map(|lock| lock.until)));
            self.scheduler.purge_once(repository, free.map_or(soon, |free| free.max(soon))).await?;
            return Ok(TaskAnswer::Unfinished);
        }
        Ok(answer(purged))
    }

    async fn purge_locked(
        &self,
        repository: &RepositoryName,
        hold: Hold,
        end: Instant,
    ) -> Result<TaskAnswer, WorkError> {
        // One who was frozen deletes nothing of whoever has the name by now.
        let fenced = self.fenced(hold.fence());
        let purge = async {
            fenced.storage.delete_repository(repository).await?;
            match fenced.table.purge_repository(repository, hold.lock()).await {
                Ok(()) => Ok(TaskAnswer::Done),
                Err(StateError::Conflict) => Ok(TaskAnswer::Unfinished),
                Err(error) => Err(WorkError::from(error)),
            }
        };
        let end = end.checked_sub(RESERVE).unwrap_or(end);
        let purged = tokio::select! {
            purged = timeout_at(end.into(), purge) => purged.unwrap_or(Ok(TaskAnswer::Unfinished)),
            error = hold.keep(&self.table) => {
                tracing::warn!(%repository, %error, "a purge cannot keep its repository to itself, and is interrupted");
                Ok(TaskAnswer::Unfinished)
            }
        };
        if !matches!(purged, Ok(TaskAnswer::Done)) {
            hold.give_up(&self.table).await?;
        }
        purged
    }

    /// Marks a repository as deleted, which ends its mirror; it may be marked already.
    pub(crate) async fn mark_deleted(&self, repository: &RepositoryName) -> Result<(), WorkError> {
        for _ in 0..MAX_RACES {
            let mirror = self.table.mirror(repository).await?;
            match self.table.mark_repository_deleted(repository, mirror.as_ref()).await {
                Ok(()) => {
                    if mirror.is_some()
                        && let Err(error) = self.scheduler.remove(repository).await
                    {
                        // It finds no mirror, and is removed with the next reconciliation.
                        tracing::warn!(%repository, %error, "a schedule was not removed yet");
                    }
                    return Ok(());
                }
                Err(StateError::NotFound) => return Ok(()),
                // Its sync goes on, or somebody has it to themselves for some seconds.
                Err(StateError::Conflict | StateError::Locked) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StateError::Locked.into())
    }
}
