//! What is shown of an organization's mirror.

use moorage_domain::Timestamp;
use moorage_state::{OrganizationMirror, now};
use serde_json::{Value, json};

use crate::{
    api::Api,
    external_registry::secrets,
    http::{answer::Answer, entity_tag::entity_tag, error::ApiError},
    mirror::{policy, rollback, warning},
    organization_mirror::{find::find_organization_mirror, list},
};

/// `GET organization/{orgname}/mirror`.
pub(crate) async fn get(api: &Api, name: &str) -> Result<Answer, ApiError> {
    let mirror = find_organization_mirror(api, name).await?;
    let counts = list::counts(&list::all(api, &mirror.config.organization).await?);
    let tag = entity_tag(mirror.created, mirror.config_revision);
    Ok(Answer::Entity(tag, view(&mirror, &counts, now())))
}

/// Quay's view of an organization's mirror. The password is not part of it. What Quay does not have is there only where it
/// says something.
fn view(mirror: &OrganizationMirror, counts: &Value, now: Timestamp) -> Value {
    let (config, state) = (&mirror.config, &mirror.state);
    let mut view = json!({
        "is_enabled": config.is_enabled,
        "external_registry_type": config.external_registry_type,
        "external_registry_url": config.external_registry_url,
        "external_namespace": config.external_namespace,
        "external_registry_username": config.external_registry_username,
        "has_external_registry_password": mirror.secrets.external_registry_password.is_some(),
        "external_registry_config": secrets::shown(&config.external_registry_config, &mirror.secrets),
        "repository_filters": config.repository_filters,
        "robot_username": config.robot,
        "visibility": if config.is_public { "public" } else { "private" },
        "sync_interval": config.sync_interval,
        "sync_start_date": state.sync_start_date.iso(),
        "sync_expiration_date": state.sync_expiration_date.map(Timestamp::iso),
        "sync_status": state.shown_status(now).as_str(),
        "sync_retries_remaining": state.sync_retries_remaining,
        "repo_sync_status_counts": counts,
        "skopeo_timeout": config.skopeo_timeout,
        "creation_date": mirror.created.iso(),
    });
    policy::show(&config.policy, &mut view);
    if let Some(until) = state.sync_waiting_until.filter(|_| !state.is_interrupted(now)) {
        view["sync_waiting_until"] = until.iso().into();
    }
    if let Some(pause) = state.pause.filter(|pause| pause.lasts(now)) {
        view["paused"] = rollback::pause_view(pause);
    }
    let sent = mirror.secrets.credentials_dropped.warning();
    if let Some(shown) = warning::interrupted(state, now).or(sent.map(warning::warning)) {
        view["sync_warning"] = shown;
    }
    if let Some(message) = &state.last_failure {
        view["status_message"] = message.as_str().into();
    }
    if let Some(remedy) = state.last_remedy {
        view["status_advice"] = remedy.advice_for_organization().into();
    }
    view
}
