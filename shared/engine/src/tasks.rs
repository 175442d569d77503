//! What is asked of the engine besides syncs, each within the time that somebody waits for it.

pub(crate) mod preview;
pub(crate) mod purge;
pub(crate) mod reconcile;
pub(crate) mod tags;

use std::time::{Duration, Instant};

use moorage_domain::{
    FailureReason,
    failure::Failure,
    task::{Task, TaskAnswer},
};
use tokio::time::timeout_at;

use crate::{
    error::{SyncError, WorkError},
    fault::caught,
    sync::Engine,
    tasks::reconcile::Reconciled,
};

/// The longest that a task takes when somebody waits: API Gateway gives up after 30 s.
const WAIT: Duration = Duration::from_secs(24);
/// What is left of an invocation for its end.
const RESERVE: Duration = Duration::from_secs(2);
/// The most further invocations of one reconciliation: hours, in which hundreds of thousands of schedules are made.
const MAX_ROUNDS: u32 = 20;

impl Engine {
    /// Does a task, until `deadline` is near.
    pub async fn task(&self, task: &Task, deadline: Instant) -> Result<TaskAnswer, SyncError> {
        // Boxed, as it holds the state of every task.
        caught(Box::pin(self.do_task(task, deadline))).await.unwrap_or(Err(SyncError::Fault))
    }

    async fn do_task(&self, task: &Task, deadline: Instant) -> Result<TaskAnswer, SyncError> {
        let end = deadline.checked_sub(RESERVE).unwrap_or(deadline);
        match task {
            Task::Preview(request) => {
                let end = end.min(Instant::now() + WAIT);
                Ok(answer(self.preview(request, end).await))
            }
            Task::ChangeTag { repository, tag, digest: Some(digest), reversion } => {
                Ok(answer(self.point_tag(repository, tag, digest, *reversion).await))
            }
            Task::ChangeTag { repository, tag, digest: None, .. } => Ok(answer(self.delete_tag(repository, tag).await)),
            Task::Purge { repository } => Ok(answer(Box::pin(self.purge_or_order(repository, end)).await?)),
            Task::EndOrganization { organization } => {
                Box::pin(self.end_organization(organization, end.min(Instant::now() + WAIT))).await
            }
            Task::Discover { organization, trigger } => Box::pin(self.discover(organization, *trigger, end)).await,
            Task::CancelDiscovered { organization } => {
                if let Ok(cancelled) = timeout_at(end.into(), self.cancel_discovered(organization)).await {
                    return cancelled;
                }
                self.invoker.order(task).await?;
                Ok(TaskAnswer::Unfinished)
            }
            Task::ReleaseDiscovered { organization } => {
                if let Ok(released) = timeout_at(end.into(), self.release_discovered(organization)).await {
                    return released;
                }
                self.invoker.order(task).await?;
                Ok(TaskAnswer::Unfinished)
            }
            Task::CheckSource { organization } => self.check_source(organization, end.min(Instant::now() + WAIT)).await,
            Task::Reconcile { round, after } => {
                let done = Reconciled::behind(after.clone());
                if let Ok(reconciled) = timeout_at(end.into(), self.reconcile(&done, end)).await {
                    return reconciled;
                }
                // What was mended stays so, and the next invocation has only the rest to do.
                if done.anything() && *round < MAX_ROUNDS {
                    self.invoker.order(&Task::Reconcile { round: round + 1, after: done.reached() }).await?;
                }
                Ok(TaskAnswer::Unfinished)
            }
        }
    }
}

/// A failure of the work is an answer: the function did what it was asked for.
fn answer(result: Result<TaskAnswer, WorkError>) -> TaskAnswer {
    match result {
        Ok(answer) => answer,
        Err(WorkError::Failed(failure)) => TaskAnswer::Failed(failure),
        Err(WorkError::Limited(until)) => {
            let message = format!("the registry limits the rate of requests, until {until}");
            TaskAnswer::Failed(Failure { reason: FailureReason::RateLimited, message })
        }
        Err(WorkError::ClaimLost | WorkError::Suspended) => TaskAnswer::Unfinished,
    }
}
