//! The end of an organization's mirror: its repositories stay, as ordinary ones.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Namespace, RepositoryName,
    task::{Task, TaskAnswer},
};
use moorage_state::StateError;
use tokio::time::{timeout, timeout_at};

use crate::{
    error::OrganizationsError,
    organizations::{CHANGES_IN_FLIGHT, Organizations},
};

/// How often a mirror is tried to be deleted that somebody changes meanwhile.
const MAX_RACES: u32 = 20;
/// The pause before the next try.
const PAUSE: Duration = Duration::from_millis(500);
/// How long what is left of a repository's pins keeps the others waiting.
const SETTLING: Duration = Duration::from_secs(5);

impl Organizations {
    /// Makes the repositories of an organization's mirror that was deleted ordinary ones, and then forgets the mirror. It
    /// can be interrupted and begun again at any time; another invocation goes on if it is not done at `end`.
    pub async fn release(&self, organization: &Namespace, end: Instant) -> Result<TaskAnswer, OrganizationsError> {
        if let Ok(released) = timeout_at(end.into(), self.release_all(organization)).await {
            return released;
        }
        self.invoker.order(&Task::ReleaseDiscovered { organization: organization.clone() }).await?;
        Ok(TaskAnswer::Unfinished)
    }

    /// Deletes the mirror of an organization that was marked as ending, if it has one. The answer is
    /// [`TaskAnswer::Unfinished`] if that is not done at `end`: whoever ends the organization asks again.
    pub async fn end(&self, organization: &Namespace, end: Instant) -> Result<TaskAnswer, OrganizationsError> {
        let found = self.table.any_organization(organization).await?;
        if !found.is_some_and(|found| found.is_ending) {
            return Ok(TaskAnswer::NotFound);
        }
        let ended = timeout_at(end.into(), self.end_mirror(organization)).await;
        ended.unwrap_or(Ok(TaskAnswer::Unfinished))
    }

    pub(crate) async fn end_mirror(&self, organization: &Namespace) -> Result<TaskAnswer, OrganizationsError> {
        if self.table.any_organization_mirror(organization).await?.is_some() {
            match self.table.mark_organization_mirror_deleted(organization).await {
                Ok(()) | Err(StateError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
            self.release_all(organization).await?;
        }
        Ok(TaskAnswer::Done)
    }

    pub(crate) async fn release_all(&self, organization: &Namespace) -> Result<TaskAnswer, OrganizationsError> {
        let mirror = self.table.any_organization_mirror(organization).await?;
        let Some(mirror) = mirror.filter(|mirror| mirror.is_deleted) else { return Ok(TaskAnswer::NotFound) };
        self.scheduler.remove_organization(organization).await?;
        self.table.drop_queued_syncs(organization).await?;
        // Until there are none: a round that has not noticed yet may add some.
        loop {
            let discovered = self.table.discovered(organization).await?;
            if discovered.is_empty() {
                break;
            }
            let release = async |repository: RepositoryName| match self.release_repository(&repository).await {
                // Who has it to themselves has it for some minutes at most, and keeps nobody from releasing the others.
                Err(OrganizationsError::State(StateError::Conflict)) => Ok(()),
                released => released,
            };
            let names = discovered.into_iter().map(|it| it.repository);
            stream::iter(names).map(release).buffer_unordered(CHANGES_IN_FLIGHT).try_collect::<()>().await?;
        }
        self.table.delete_organization_mirror(&mirror).await?;
        Ok(TaskAnswer::Done)
    }

    /// Makes a repository that an organization's mirror has found an ordinary one.
    pub(crate) async fn release_repository(&self, repository: &RepositoryName) -> Result<(), OrganizationsError> {
        for _ in 0..MAX_RACES {
            let Some(mirror) = self.table.mirror(repository).await? else {
                return Ok(self.table.forget_discovered(repository).await?);
            };
            match self.table.delete_mirror(&mirror).await {
                Ok(()) => {
                    // What is left of its pins is settled each day.
                    match timeout(SETTLING, self.table.settle_pins(repository)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => tracing::warn!(%repository, %error, "what was pinned was not forgotten yet"),
                        Err(_) => tracing::info!(%repository, "there was no time to forget what was pinned"),
                    }
                    return Ok(());
                }
                // Its sync goes on, or somebody has the repository to themselves for some seconds.
                Err(StateError::Conflict | StateError::Locked) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StateError::Conflict.into())
    }
}
