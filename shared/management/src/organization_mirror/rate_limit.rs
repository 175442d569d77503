//! What is known of the limit of the registry that an organization follows, and how to have it forgotten.

use moorage_domain::{run::Trigger, status::NotEligible, task::Task, usage_log::LogKind};
use moorage_state::{TransitionError, now};
use uuid::Uuid;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::rate_limit::{end_wait, is_ended},
    organization_mirror::{find::find_organization_mirror, list},
};

/// `DELETE organization/{orgname}/mirror/rate-limit`: the same for an organization's mirror and its repositories.
pub(crate) async fn delete(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let config = find_organization_mirror(api, name).await?.config;
    let organization = config.organization;
    api.table.forget_rate_limits(&organization, config.external_registry_url.authority()).await?;
    let ended = api.table.transition_organization(&organization, |mirror| {
        mirror.state.end_wait(now(), Uuid::new_v4()).ok_or(TransitionError::NotEligible(NotEligible::NotRunning))
    });
    if is_ended(ended.await)? {
        let (organization, trigger) = (organization.clone(), Trigger::Continuation);
        api.invoker.order(&Task::Discover { organization, trigger }).await?;
    }
    // They are as few as syncs of the mirror run at once: a sync that waits keeps its turn.
    for waiting in list::all(api, &organization).await?.iter().filter(|found| found.is_waiting(now())) {
        end_wait(api, waiting.repository()).await?;
    }
    let metadata = [("updated_fields", vec!["rate_limit"].into())];
    api.log_namespace(call, &organization, LogKind::OrgMirrorConfigChanged, metadata).await;
    Ok(Answer::NoContent)
}
