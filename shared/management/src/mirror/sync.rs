//! Syncs on demand.

use moorage_domain::{
    RepositoryName,
    run::{RunId, SyncRequest, Trigger},
};
use serde_json::json;
use uuid::Uuid;

use moorage_state::now;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::{log::changed, rate_limit},
};

/// `POST …/mirror/sync-now`.
pub(crate) async fn sync_now(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let asked = api.table.transition(repository, |mirror| Ok(mirror.state.sync_now(now(), Uuid::new_v4())?)).await?;
    rate_limit::forget(api, &asked).await?;
    api.invoker.start(&SyncRequest { repository: repository.clone(), trigger: Trigger::SyncNow }).await?;
    api.log(call, repository, vec![changed("sync_status", "SYNC_NOW".into())]).await;
    Ok(Answer::NoContent)
}

/// `POST …/mirror/sync-cancel`.
pub(crate) async fn sync_cancel(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    api.table.transition(repository, |mirror| Ok(mirror.state.cancel(Uuid::new_v4())?)).await?;
    api.log(call, repository, vec![changed("sync_status", "SYNC_CANCEL".into())]).await;
    Ok(Answer::NoContent)
}

/// `POST …/mirror/verify`: a sync that looks at everything that the tags reference.
pub(crate) async fn verify(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let run = RunId(Uuid::now_v7());
    let asked = api.table.transition(repository, |mirror| Ok(mirror.state.verify(now(), Uuid::new_v4(), run)?)).await?;
    rate_limit::forget(api, &asked).await?;
    api.invoker.start(&SyncRequest { repository: repository.clone(), trigger: Trigger::Verify }).await?;
    api.log(call, repository, vec![changed("sync_status", "SYNC_NOW".into())]).await;
    Ok(Answer::Json(202, json!({ "run_id": run })))
}
