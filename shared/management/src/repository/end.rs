//! The end of a repository: marked at once, so that nobody finds it any more, and removed by the sync function, which
//! has access to the bucket.

use moorage_domain::{RepositoryName, task::Task, usage_log::LogKind};
use moorage_state::{Race, StateError};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    lock_wait::LockWait,
    webhook,
};

/// `DELETE /repository/{repository}`.
pub(crate) async fn delete(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    if api.table.repository(name).await?.is_none() {
        // For whoever calls it is gone; what an earlier call has left of it goes all the same.
        if api.table.is_repository_deleted(name).await? {
            finish(api, name).await;
        }
        return Err(ApiError::NotFound);
    }
    mark(api, name).await?;
    finish(api, name).await;
    api.log_namespace(call, &name.namespace(), LogKind::DeleteRepo, [("repo", name.name().into())]).await;
    Ok(Answer::NoContent)
}

/// Deletes a repository that was made by mistake.
pub(crate) async fn take_back(api: &Api, name: &RepositoryName) -> Result<(), ApiError> {
    mark(api, name).await?;
    finish(api, name).await;
    Ok(())
}

/// Waits until everything of a deleted repository is gone, as long as a call may. If that takes longer, the sync
/// function goes on; if it fails, whoever wants the name again has it done once more.
pub(crate) async fn finish(api: &Api, name: &RepositoryName) {
    if let Err(error) = api.invoker.ask(&Task::Purge { repository: name.clone() }).await {
        tracing::warn!(repository = %name, %error, "a deleted repository is not gone yet");
    }
}

/// Marks a repository as deleted, and ends its mirror and schedules.
async fn mark(api: &Api, name: &RepositoryName) -> Result<(), ApiError> {
    let (wait, mut race) = (LockWait::begin(), Race::begin());
    loop {
        let mirror = api.table.mirror(name).await?;
        let webhook = webhook::end::read(api, name).await;
        let marked = api.table.mark_repository_deleted(name, mirror.as_ref()).await;
        if wait.again(&marked).await {
            continue;
        }
        match marked {
            Err(StateError::Conflict) => race.lost().await?,
            Err(error) => return Err(error.into()),
            Ok(()) if mirror.is_none() => return Ok(()),
            // A schedule that stays finds no mirror, and is removed with the next reconciliation.
            Ok(()) => {
                webhook::end::forget(api, name, webhook).await;
                if let Err(error) = api.scheduler.remove(name).await {
                    tracing::warn!(repository = %name, %error, "a schedule was not removed yet");
                }
                return Ok(());
            }
        }
    }
}
