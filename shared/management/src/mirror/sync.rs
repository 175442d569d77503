//! Syncs on demand.

use moorage_domain::{
    RepositoryName,
    run::{RunId, SyncRequest, Trigger},
    status::NotEligible,
};
use serde_json::json;
use uuid::Uuid;

use moorage_state::{Mirror, Role, TransitionError, now};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::{find::find_mirror, log::changed, rate_limit},
};

/// What is answered to who asks for a sync that could not begin.
const NOT_MIRROR: &str = "The repository is not in the state MIRROR, and is not synced. Change its state first.";
/// What is answered to who asks to verify what is being synced.
const RUNNING: &str = "A sync of the repository runs. Verify it when that has ended, or cancel it.";

/// `POST …/mirror/sync-now`.
pub(crate) async fn sync_now(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    require_mirror_state(api, repository).await?;
    let asked = api.table.transition(repository, |mirror| Ok(mirror.state.sync_now(now(), Uuid::new_v4())?)).await?;
    start(api, call, &asked, Trigger::SyncNow).await?;
    api.log(call, repository, vec![changed("sync_status", "SYNC_NOW".into())]).await;
    Ok(Answer::NoContent)
}

/// Has a sync begin at once, if one may. One that runs goes on.
pub(crate) async fn begin_if_idle(api: &Api, repository: &RepositoryName, call: &Call) -> Result<(), ApiError> {
    let is_mirror = api.table.repository(repository).await?.is_some_and(|found| found.state.is_mirror());
    if !is_mirror {
        return Ok(());
    }
    let asked = api.table.transition(repository, |mirror| Ok(mirror.state.sync_now(now(), Uuid::new_v4())?)).await;
    match asked {
        Ok(asked) => start(api, call, &asked, Trigger::SyncNow).await,
        Err(TransitionError::NotEligible(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// `POST …/mirror/sync-cancel`.
pub(crate) async fn sync_cancel(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    api.table.transition(repository, |mirror| Ok(mirror.state.cancel(Uuid::new_v4())?)).await?;
    api.log(call, repository, vec![changed("sync_status", "SYNC_CANCEL".into())]).await;
    Ok(Answer::NoContent)
}

/// `POST …/mirror/verify`: a sync that looks at everything that the tags reference.
pub(crate) async fn verify(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    require_mirror_state(api, repository).await?;
    let run = RunId(Uuid::now_v7());
    let asked = api.table.transition(repository, |mirror| Ok(mirror.state.verify(now(), Uuid::new_v4(), run)?)).await;
    let asked = asked.map_err(|error| match error {
        TransitionError::NotEligible(NotEligible::Running) => ApiError::NotNow(RUNNING),
        other => other.into(),
    })?;
    start(api, call, &asked, Trigger::Verify).await?;
    api.log(call, repository, vec![changed("sync_status", "SYNC_NOW".into())]).await;
    Ok(Answer::Json(202, json!({ "run_id": run })))
}

/// Starts what was asked for. It waits for no turn, not even if its invocation is lost: what is queued is not taken for lost.
/// What is known of the registry's limit is forgotten only for who may decide that for all of the namespace.
async fn start(api: &Api, call: &Call, asked: &Mirror, trigger: Trigger) -> Result<(), ApiError> {
    let repository = asked.config.repository.clone();
    if call.caller.role_in(&repository.namespace()) == Some(Role::Admin) {
        rate_limit::forget(api, asked).await?;
    }
    if asked.is_discovered {
        api.table.leave_queue(&repository).await?;
    }
    Ok(api.invoker.start(&SyncRequest { repository, trigger }).await?)
}

/// Fails if no sync of the repository begins at present: what was asked for would stay pending for ever.
pub(crate) async fn require_mirror_state(api: &Api, repository: &RepositoryName) -> Result<(), ApiError> {
    match api.table.repository(repository).await? {
        Some(found) if found.state.is_mirror() => Ok(()),
        _ => find_mirror(api, repository).await.and(Err(ApiError::NotNow(NOT_MIRROR))),
    }
}
