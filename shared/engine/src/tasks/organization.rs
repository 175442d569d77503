//! The end of an organization with all that is in it.

use std::time::Instant;

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

impl Engine {
    /// Deletes an organization that was marked as ending with all that is in it. Nothing can be added meanwhile, so that it
    /// can be interrupted anywhere, and whoever begins again finishes it.
    pub async fn end_organization(&self, organization: &Namespace, end: Instant) -> Result<TaskAnswer, SyncError> {
        let found = self.table.any_organization(organization).await?;
        if !found.is_some_and(|found| found.is_ending) {
            return Ok(TaskAnswer::NotFound);
        }
        let work = async {
            // Its mirror has to go first, which is not this engine's business.
            let has_mirror = self.table.any_organization_mirror(organization).await?.is_some();
            let (mut after, mut is_empty) = (None, !has_mirror);
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
            self.try_purge(name, end).await
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
