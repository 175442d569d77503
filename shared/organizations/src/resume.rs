//! Resuming an organization's mirror that was turned back: its repositories first, so that one that is interrupted leaves a
//! mirror that says so, and of which nothing is synced by the way.

use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Namespace,
    status::{NotEligible, SyncState},
    task::{Task, TaskAnswer},
};
use moorage_state::{Mirror, StateError, TransitionError, now};
use tokio::time::timeout_at;
use uuid::Uuid;

use crate::{
    error::OrganizationsError,
    organizations::{CHANGES_IN_FLIGHT, Organizations},
};

impl Organizations {
    /// Has all repositories of an organization's mirror synced again, and then the mirror. The answer is
    /// [`TaskAnswer::Busy`] if tags are being turned back. Another invocation goes on if that is not done at `end`.
    pub async fn resume(&self, organization: &Namespace, end: Instant) -> Result<TaskAnswer, OrganizationsError> {
        if let Ok(resumed) = timeout_at(end.into(), self.resume_all(organization)).await {
            return resumed;
        }
        self.invoker.order(&Task::ResumeDiscovered { organization: organization.clone() }).await?;
        Ok(TaskAnswer::Unfinished)
    }

    async fn resume_all(&self, organization: &Namespace) -> Result<TaskAnswer, OrganizationsError> {
        let Some(of) = self.table.organization_mirror(organization).await? else { return Ok(TaskAnswer::NotFound) };
        let mut paused = self.table.mirrors_of_many(&self.names(organization).await?).await?;
        // All or none: the round would pause some of them after they were resumed.
        let is_busy = |state: &SyncState| state.resume(now(), Uuid::new_v4()).is_err();
        paused.retain(|mirror| mirror.state.pause.is_some());
        if is_busy(&of.state) || paused.iter().any(|mirror| is_busy(&mirror.state)) {
            return Ok(TaskAnswer::Busy);
        }
        let resume = async |mirror: Mirror| {
            let resumed = self
                .table
                .transition(&mirror.config.repository, |mirror| Ok(mirror.state.resume(now(), Uuid::new_v4())?));
            match resumed.await {
                Ok(_) | Err(TransitionError::NotFound) => Ok(true),
                Err(TransitionError::State(error)) => Err(error),
                Err(_) => Ok(false),
            }
        };
        let resumed = stream::iter(paused).map(resume).buffer_unordered(CHANGES_IN_FLIGHT);
        if !resumed.try_fold(true, async |all, one| Ok::<_, StateError>(all && one)).await? {
            return Ok(TaskAnswer::Busy);
        }
        let resumed =
            self.table.transition_organization(organization, |it| Ok(it.state.resume(now(), Uuid::new_v4())?));
        match resumed.await {
            Ok(_) => Ok(TaskAnswer::Done),
            Err(TransitionError::NotEligible(NotEligible::Running)) => Ok(TaskAnswer::Busy),
            Err(TransitionError::State(error)) => Err(error.into()),
            Err(_) => Ok(TaskAnswer::NotFound),
        }
    }
}
