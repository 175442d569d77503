//! Syncs of all of an organization on demand, and whether its registry can be asked.

use moorage_domain::{
    Namespace,
    run::Trigger,
    status::NotEligible,
    task::{Task, TaskAnswer},
    usage_log::LogKind,
};
use moorage_state::{TransitionError, now};
use serde_json::json;
use uuid::Uuid;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    organization::share,
    organization_mirror::{find::find_organization_mirror, list, log::log},
};

/// `POST organization/{orgname}/mirror/sync-now`.
pub(crate) async fn sync_now(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let running = || ApiError::InvalidRequest("Cannot trigger sync: mirror is currently syncing".into());
    let organization = find_organization_mirror(api, name).await?.config.organization;
    // Those that wait for the registry go on with the others.
    if list::all(api, &organization).await?.iter().any(|found| found.is_running(now()) && !found.is_waiting(now())) {
        return Err(running());
    }
    let asked = api.table.transition_organization(&organization, |it| Ok(it.state.sync_now(now(), Uuid::new_v4())?));
    let mirror = asked.await.map_err(|error| match error {
        TransitionError::NotEligible(NotEligible::Running) => running(),
        other => other.into(),
    })?;
    let authority = mirror.config.external_registry_url.authority();
    api.table.forget_rate_limits(&organization, authority).await?;
    api.invoker.order(&Task::Discover { organization, trigger: Trigger::SyncNow }).await?;
    log(api, &mirror, call, LogKind::OrgMirrorSyncNowRequested).await;
    Ok(Answer::NoContent)
}

/// `POST organization/{orgname}/mirror/sync-cancel`. One that is cancelled is cancelled again if some of its repositories are
/// not: the invocation that was to see to them was lost.
pub(crate) async fn sync_cancel(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let found = find_organization_mirror(api, name).await?;
    let organization = found.config.organization.clone();
    let stopped = api.table.transition_organization(&organization, |it| Ok(it.state.stop(Uuid::new_v4())?)).await;
    let mirror = match stopped {
        Err(TransitionError::NotEligible(_)) if is_any_active(api, &organization).await? => found,
        Err(TransitionError::NotEligible(_)) => {
            return Err(ApiError::InvalidRequest("Cannot cancel: mirror is already cancelled".into()));
        }
        stopped => stopped?,
    };
    api.invoker.order(&Task::CancelDiscovered { organization }).await?;
    log(api, &mirror, call, LogKind::OrgMirrorSyncCancelled).await;
    Ok(Answer::NoContent)
}

/// Whether a sync of one of the organization's repositories runs, or is pending.
async fn is_any_active(api: &Api, organization: &Namespace) -> Result<bool, ApiError> {
    Ok(list::all(api, organization).await?.iter().any(list::Found::is_active))
}

/// `POST organization/{orgname}/mirror/verify`: whether the registry can be asked. That it cannot is an answer.
pub(crate) async fn verify(api: &Api, name: &str) -> Result<Answer, ApiError> {
    let organization = find_organization_mirror(api, name).await?.config.organization;
    match share::ask_registry(api, &organization, &Task::CheckSource { organization: organization.clone() }).await? {
        TaskAnswer::Checked { success, message } => Ok(Answer::ok(json!({"success": success, "message": message}))),
        TaskAnswer::NotFound => Err(ApiError::NotFound),
        other => Err(ApiError::Unavailable(format!("the sync function answered {other:?}"))),
    }
}
