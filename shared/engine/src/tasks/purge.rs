//! The end of a repository that was deleted, and of an organization with all that is in it.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Namespace, RepositoryName,
    lock::{Lock, LockKind},
    task::TaskAnswer,
};
use moorage_state::StateError;
use tokio::time::timeout_at;

use crate::{
    clock::now,
    error::{SyncError, WorkError},
    sync::Engine,
    tasks::reconcile::SOON,
};

/// How long a purge has the repository to itself, unless it prolongs that: one that was killed delays the next one by as
/// much.
const LOCK: Duration = Duration::from_secs(60);
/// How often it does: some times before the lock ends.
const RENEWAL: Duration = Duration::from_secs(15);
/// How long an invocation waits for a run that may still write, or for another purge. A run that was ended notices in a
/// few seconds; for one that was killed, its claim must end, and another invocation comes then.
const PATIENCE: Duration = Duration::from_secs(15);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// What is left of an invocation for giving the lock up.
const RESERVE: Duration = Duration::from_secs(1);
/// How often a deletion is begun again after its mirror was changed by somebody else.
const MAX_RACES: u32 = 20;
/// Repositories of an organization that are looked up together.
const PAGE: i32 = 100;
/// Those of them that are deleted at once.
const AT_ONCE: usize = 8;

impl Engine {
    /// Deletes what the bucket and the table have of a repository that was deleted, once nobody can add to it any more. Its
    /// name is free when that is done; it can be interrupted and begun again at any time.
    pub(crate) async fn purge(&self, repository: &RepositoryName, end: Instant) -> Result<TaskAnswer, WorkError> {
        let patience = end.min(Instant::now() + PATIENCE);
        loop {
            let Some(found) = self.table.deleted_repository(repository).await? else {
                return Ok(TaskAnswer::NotFound);
            };
            if !found.is_deleted {
                // An organization that is gone has left it behind.
                self.mark_deleted(repository).await?;
            }
            match self.table.lock_repository(repository, LockKind::Purge, LOCK).await {
                Ok(lock) => return Box::pin(self.purge_locked(repository, &lock, end)).await,
                Err(StateError::Locked) if Instant::now() < patience => tokio::time::sleep(PAUSE).await,
                Err(StateError::Locked) => return Ok(TaskAnswer::Busy),
                // Another purge was faster.
                Err(StateError::NotFound) => return Ok(TaskAnswer::NotFound),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// As [`Self::purge`]; if there is not enough time, another invocation goes on: at once, or when nobody can add to the
    /// repository any more.
    pub(crate) async fn purge_or_order(
        &self,
        repository: &RepositoryName,
        end: Instant,
    ) -> Result<Result<TaskAnswer, WorkError>, SyncError> {
        let purged = self.purge(repository, end).await;
        if matches!(purged, Ok(TaskAnswer::Busy | TaskAnswer::Unfinished)) {
            let soon = now().plus(SOON);
            let found = self.table.deleted_repository(repository).await?;
            let free = found.and_then(|found| found.left_until.max(found.lock.map(|lock| lock.until)));
            self.scheduler.purge_once(repository, free.map_or(soon, |free| free.max(soon))).await?;
            return Ok(Ok(TaskAnswer::Unfinished));
        }
        Ok(purged)
    }

    async fn purge_locked(
        &self,
        repository: &RepositoryName,
        lock: &Lock,
        end: Instant,
    ) -> Result<TaskAnswer, WorkError> {
        let purge = async {
            self.storage.delete_repository(repository).await?;
            match self.table.purge_repository(repository, lock).await {
                Ok(()) => Ok(TaskAnswer::Done),
                Err(StateError::Conflict) => Ok(TaskAnswer::Unfinished),
                Err(error) => Err(WorkError::from(error)),
            }
        };
        let end = end.checked_sub(RESERVE).unwrap_or(end);
        let purged = tokio::select! {
            purged = timeout_at(end.into(), purge) => purged.unwrap_or(Ok(TaskAnswer::Unfinished)),
            () = self.keep_lock(repository, lock) => Ok(TaskAnswer::Unfinished),
        };
        if !matches!(purged, Ok(TaskAnswer::Done)) {
            self.table.unlock_repository(repository, lock).await?;
        }
        purged
    }

    /// Prolongs a lock, and returns when it cannot be any more, long before it ends.
    async fn keep_lock(&self, repository: &RepositoryName, lock: &Lock) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            if self.table.extend_lock(repository, lock, now().plus(LOCK)).await.is_err() {
                return;
            }
        }
    }

    /// Marks a repository as deleted, which ends its mirror; it may be marked already.
    async fn mark_deleted(&self, repository: &RepositoryName) -> Result<(), WorkError> {
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

    /// Deletes an organization that was marked as ending with all that is in it. Nothing can be added meanwhile, so that it
    /// can be interrupted anywhere, and whoever begins again finishes it.
    pub(crate) async fn end_organization(
        &self,
        organization: &Namespace,
        end: Instant,
    ) -> Result<TaskAnswer, SyncError> {
        let found = self.table.any_organization(organization).await?;
        if !found.is_some_and(|found| found.is_ending) {
            return Ok(TaskAnswer::NotFound);
        }
        let work = async {
            if self.table.any_organization_mirror(organization).await?.is_some() {
                match self.table.mark_organization_mirror_deleted(organization).await {
                    Ok(()) | Err(StateError::NotFound) => {}
                    Err(error) => return Err(error.into()),
                }
                self.release_discovered(organization).await?;
            }
            let (mut after, mut is_empty) = (None, true);
            loop {
                let page = self.table.repositories(organization, PAGE, after.as_deref()).await?;
                let names = page.repositories.into_iter().map(|it| it.repository).chain(page.deleted);
                let delete = async |name: RepositoryName| self.end_repository(&name, end).await;
                let gone = stream::iter(names).map(delete).buffer_unordered(AT_ONCE);
                is_empty &= gone.try_fold(true, async |all, gone| Ok(all && gone)).await?;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            if is_empty {
                self.table.delete_organization(organization).await?;
            }
            Ok(is_empty)
        };
        match timeout_at(end.into(), work).await {
            Ok(Ok(true)) => Ok(TaskAnswer::Done),
            Ok(Ok(false)) | Err(_) => Ok(TaskAnswer::Unfinished),
            Ok(Err(error)) => Err(error),
        }
    }

    /// Whether nothing is left of a repository.
    async fn end_repository(&self, name: &RepositoryName, end: Instant) -> Result<bool, SyncError> {
        let ended = async {
            self.mark_deleted(name).await?;
            self.purge(name, end).await
        };
        match ended.await {
            Ok(answer) => Ok(matches!(answer, TaskAnswer::Done | TaskAnswer::NotFound)),
            Err(WorkError::Failed(failure)) => {
                tracing::warn!(repository = %name, error = failure.message, "a deleted repository is not gone yet");
                Ok(false)
            }
            Err(_) => Ok(false),
        }
    }
}
