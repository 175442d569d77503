//! Cancelling an organization's mirror: its repositories' syncs end with it.

use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Namespace, RepositoryName,
    status::SyncStatus,
    task::{Task, TaskAnswer},
};
use moorage_state::{LogOf, OrganizationMirror, StateError, TransitionError};
use tokio::time::timeout_at;
use uuid::Uuid;

use crate::{
    error::OrganizationsError,
    log,
    organizations::{CHANGES_IN_FLIGHT, Organizations},
};

impl Organizations {
    /// Cancels the syncs of all repositories of an organization's mirror; none of them runs until Sync Now. Another
    /// invocation goes on if that is not done at `end`.
    pub async fn cancel(&self, organization: &Namespace, end: Instant) -> Result<TaskAnswer, OrganizationsError> {
        if let Ok(cancelled) = timeout_at(end.into(), self.cancel_syncs(organization)).await {
            return cancelled;
        }
        self.invoker.order(&Task::CancelDiscovered { organization: organization.clone() }).await?;
        Ok(TaskAnswer::Unfinished)
    }

    async fn cancel_syncs(&self, organization: &Namespace) -> Result<TaskAnswer, OrganizationsError> {
        let Some(mirror) = self.table.organization_mirror(organization).await? else { return Ok(TaskAnswer::NotFound) };
        if mirror.state.sync_status != SyncStatus::Cancel {
            // It was started again since.
            return Ok(TaskAnswer::Done);
        }
        let discovered = self.table.discovered(organization).await?;
        let active = discovered.into_iter().filter(|it| it.skipped.is_none()).map(|it| it.repository);
        let cancel = async |repository: RepositoryName| {
            let stopped = self.table.transition(&repository, |mirror| Ok(mirror.state.stop(Uuid::new_v4())?)).await;
            match stopped {
                Ok(_) => Ok(1),
                Err(TransitionError::State(error)) => Err(error),
                Err(_) => Ok(0),
            }
        };
        let cancelled = stream::iter(active).map(cancel).buffer_unordered(CHANGES_IN_FLIGHT);
        let cancelled = cancelled.try_fold(0, async |sum, one| Ok::<_, StateError>(sum + one)).await?;
        // Last: a queue that is left says that this was interrupted, and somebody goes on with it.
        let is_cancelled = |mirror: OrganizationMirror| mirror.state.sync_status == SyncStatus::Cancel;
        if self.table.organization_mirror(organization).await?.is_some_and(is_cancelled) {
            self.table.drop_queued_syncs(organization).await?;
        }
        self.table.add_log_of(LogOf::Namespace(organization), &[log::cancelled(&mirror, cancelled)]).await?;
        Ok(TaskAnswer::Done)
    }
}
