//! The end of what an organization's mirror has begun: of its syncs, when it is cancelled; of itself, when it is deleted.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Namespace, RepositoryName, task::TaskAnswer};
use moorage_state::{LogOf, StateError, TransitionError};
use uuid::Uuid;

use super::{log, round::AT_ONCE};
use crate::{error::SyncError, sync::Engine};

/// How often a mirror is tried to be deleted that somebody changes meanwhile.
const MAX_RACES: u32 = 20;
/// The pause before the next try.
const PAUSE: Duration = Duration::from_millis(500);

impl Engine {
    /// Cancels the syncs of all repositories of an organization's mirror. None of them runs until Sync Now.
    pub(crate) async fn cancel_discovered(&self, organization: &Namespace) -> Result<TaskAnswer, SyncError> {
        let Some(mirror) = self.table.organization_mirror(organization).await? else { return Ok(TaskAnswer::NotFound) };
        self.table.drop_turns(organization).await?;
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
        let cancelled = stream::iter(active).map(cancel).buffer_unordered(AT_ONCE);
        let cancelled = cancelled.try_fold(0, async |sum, one| Ok(sum + one)).await?;
        self.table.add_log_of(LogOf::Namespace(organization), &[log::cancelled(&mirror, cancelled)]).await?;
        Ok(TaskAnswer::Done)
    }

    /// Makes the repositories of an organization's mirror that was deleted ordinary ones, and then forgets the mirror. It
    /// can be interrupted and begun again at any time.
    pub(crate) async fn release_discovered(&self, organization: &Namespace) -> Result<TaskAnswer, SyncError> {
        let mirror = self.table.any_organization_mirror(organization).await?;
        let Some(mirror) = mirror.filter(|mirror| mirror.is_deleted) else { return Ok(TaskAnswer::NotFound) };
        self.scheduler.remove_organization(organization).await?;
        self.table.drop_turns(organization).await?;
        // Until there are none: a round that has not noticed yet may add some.
        loop {
            let discovered = self.table.discovered(organization).await?;
            if discovered.is_empty() {
                break;
            }
            let release = async |repository: RepositoryName| self.release_repository(&repository).await;
            let names = discovered.into_iter().map(|it| it.repository);
            stream::iter(names).map(release).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        }
        self.table.delete_organization_mirror(&mirror).await?;
        Ok(TaskAnswer::Done)
    }

    /// Makes a repository that an organization's mirror has found an ordinary one.
    pub(crate) async fn release_repository(&self, repository: &RepositoryName) -> Result<(), SyncError> {
        for _ in 0..MAX_RACES {
            let Some(mirror) = self.table.mirror(repository).await? else {
                return Ok(self.table.forget_discovered(repository).await?);
            };
            match self.table.delete_mirror(&mirror).await {
                Ok(()) => return Ok(()),
                // Its sync goes on, or somebody has the repository to themselves for some seconds.
                Err(StateError::Conflict | StateError::Locked) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StateError::Conflict.into())
    }
}
