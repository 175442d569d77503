//! The end of an organization with all that is in it.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Namespace, RepositoryName, task::TaskAnswer};
use tokio::time::timeout_at;

use crate::{
    engine::Engine,
    error::{SyncError, WorkError},
};

/// Repositories of an organization that are looked up together.
const PAGE: i32 = 100;
/// Those of them that are deleted at once.
const AT_ONCE: usize = 8;
/// What is left of an invocation for those that are being deleted to give their locks up: who has a lock when it ends keeps
/// the next one waiting.
const RESERVE: Duration = Duration::from_secs(2);

impl Engine {
    /// Deletes an organization that was marked as ending with all that is in it. Nothing can be added meanwhile, so that it
    /// can be interrupted anywhere, and whoever begins again finishes it.
    pub async fn end_organization(&self, organization: &Namespace, end: Instant) -> Result<TaskAnswer, SyncError> {
        let found = self.table.any_organization(organization).await?;
        if !found.is_some_and(|found| found.is_ending) {
            return Ok(TaskAnswer::NotFound);
        }
        let within = end.checked_sub(RESERVE).unwrap_or(end);
        let work = async {
            // Its mirror has to go first, which is not this engine's business.
            let has_mirror = self.table.any_organization_mirror(organization).await?.is_some();
            let (mut after, mut answer) = (None, if has_mirror { TaskAnswer::Unfinished } else { TaskAnswer::Done });
            loop {
                let page = self.table.repositories(organization, PAGE, after.as_deref()).await?;
                let present = page.repositories.into_iter().map(|it| (it.repository, false));
                let names = present.chain(page.deleted.into_iter().map(|name| (name, true)));
                let delete = async |(name, is_marked)| self.end_repository(&name, is_marked, within).await;
                let gone = stream::iter(names).map(delete).buffer_unordered(AT_ONCE);
                answer = gone.try_fold(answer, async |all, gone| Ok(worse(all, gone))).await?;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            if answer == TaskAnswer::Done {
                self.table.delete_organization(organization).await?;
            }
            Ok(answer)
        };
        timeout_at(end.into(), work).await.unwrap_or(Ok(TaskAnswer::Unfinished))
    }

    /// Whether nothing is left of a repository. What only the operator can mend is told, as asking again does not help.
    async fn end_repository(
        &self,
        name: &RepositoryName,
        is_marked: bool,
        end: Instant,
    ) -> Result<TaskAnswer, SyncError> {
        let ended = async {
            if Instant::now() >= end {
                return Ok(TaskAnswer::Unfinished);
            }
            if !is_marked {
                self.mark_deleted(name).await?;
            }
            self.try_purge(name, end).await
        };
        match ended.await {
            Ok(TaskAnswer::Done | TaskAnswer::NotFound) => Ok(TaskAnswer::Done),
            Err(WorkError::Failed(failure)) => {
                tracing::warn!(repository = %name, error = failure.logged(), "a deleted repository is not gone yet");
                Ok(if failure.is_operators() { TaskAnswer::Failed(failure) } else { TaskAnswer::Unfinished })
            }
            Ok(_) | Err(_) => Ok(TaskAnswer::Unfinished),
        }
    }
}

/// What is to be told of both: a failure, else that something is left.
fn worse(one: TaskAnswer, other: TaskAnswer) -> TaskAnswer {
    match (one, other) {
        (failed @ TaskAnswer::Failed(_), _) | (_, failed @ TaskAnswer::Failed(_)) => failed,
        (TaskAnswer::Done, other) => other,
        (one, _) => one,
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::{FailureReason, failure::Failure};

    use super::*;

    #[test]
    fn a_failure_is_told_before_what_is_left() {
        let failed = || TaskAnswer::Failed(Failure::new(FailureReason::StorageError, "denied".to_owned()));
        for (one, other, expected) in [
            (TaskAnswer::Done, TaskAnswer::Done, TaskAnswer::Done),
            (TaskAnswer::Done, TaskAnswer::Unfinished, TaskAnswer::Unfinished),
            (TaskAnswer::Unfinished, TaskAnswer::Done, TaskAnswer::Unfinished),
            (TaskAnswer::Unfinished, failed(), failed()),
            (failed(), TaskAnswer::Done, failed()),
        ] {
            assert_eq!(worse(one, other), expected);
        }
    }
}
