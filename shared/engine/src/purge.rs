//! The end of a repository that was deleted.

use std::time::Duration;

use moorage_domain::{RepositoryName, run::RunStatus, task::TaskAnswer};

use crate::{clock::now, error::WorkError, sync::Engine};

/// How long a sync may take to notice that its mirror is gone: a little longer than the pause between two renewals of a
/// claim. What it publishes meanwhile would be left behind.
const NOTICE: Duration = Duration::from_secs(4);

impl Engine {
    /// Deletes what the bucket and the table have of a repository that was deleted. Its name is free when that is done;
    /// it can be interrupted and begun again at any time.
    pub(crate) async fn purge(&self, repository: &RepositoryName) -> Result<TaskAnswer, WorkError> {
        if !self.table.is_repository_deleted(repository).await? {
            return Ok(TaskAnswer::NotFound);
        }
        let last = self.table.runs(repository, 1, None, now()).await?.runs;
        let was_running = last.first().is_some_and(|run| run.status == RunStatus::Syncing);
        self.storage.delete_repository(repository).await?;
        if was_running {
            tokio::time::sleep(NOTICE).await;
            self.storage.delete_repository(repository).await?;
        }
        self.table.purge_repository(repository).await?;
        Ok(TaskAnswer::Done)
    }
}
