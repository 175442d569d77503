//! What is shown of a mirror.

use moorage_domain::{MirrorSecrets, RepositoryName, Timestamp};
use moorage_state::{Mirror, now};
use serde_json::{Value, json};

use crate::{
    api::Api,
    external_registry::secrets,
    http::{answer::Answer, entity_tag::entity_tag, error::ApiError},
    mirror::{find::find_mirror, policy, rollback, warning},
};

/// `GET …/mirror`.
pub(crate) async fn get(api: &Api, repository: &RepositoryName) -> Result<Answer, ApiError> {
    let mirror = find_mirror(api, repository).await?;
    let secrets = secrets_of(api, &mirror).await?;
    let tag = entity_tag(mirror.created, mirror.config_revision);
    Ok(Answer::Entity(tag, view(&mirror, &secrets, now())))
}

/// The secrets that a mirror uses: its own, or those of its organization's mirror.
async fn secrets_of(api: &Api, mirror: &Mirror) -> Result<MirrorSecrets, ApiError> {
    if !mirror.is_discovered {
        return Ok(mirror.secrets.clone());
    }
    let organization = api.table.organization_mirror(&mirror.config.repository.namespace()).await?;
    Ok(organization.map(|organization| organization.secrets).unwrap_or_default())
}

/// Quay's view of a mirror. The password is not part of it. What Quay does not have is there only where it says
/// something: clients compare what they get key by key.
fn view(mirror: &Mirror, stored: &MirrorSecrets, now: Timestamp) -> Value {
    let (config, state) = (&mirror.config, &mirror.state);
    let mut view = json!({
        "is_enabled": config.is_enabled,
        "mirror_type": "PULL",
        "external_reference": config.external_reference,
        "external_registry_username": config.external_registry_username,
        "external_registry_config": secrets::shown(&config.external_registry_config, stored),
        "sync_interval": config.sync_interval,
        "sync_start_date": state.sync_start_date.iso(),
        "sync_expiration_date": state.sync_expiration_date.map(Timestamp::iso),
        "sync_retries_remaining": state.sync_retries_remaining,
        "sync_status": state.shown_status(now).as_str(),
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": config.root_rule.patterns()},
        "robot_username": config.robot,
        "skopeo_timeout_interval": config.skopeo_timeout_interval,
        "architecture_filter": config.architecture_filter,
    });
    policy::show(&config.policy, &mut view);
    if let Some(until) = state.sync_waiting_until.filter(|_| !state.is_interrupted(now)) {
        view["sync_waiting_until"] = until.iso().into();
    }
    if let Some(pause) = state.pause.filter(|pause| pause.lasts(now)) {
        view["paused"] = rollback::pause_view(pause);
    }
    let sent = stored.credentials_dropped.warning().or(state.sync_warning);
    if let Some(shown) = warning::interrupted(state, now).or(sent.map(warning::warning)) {
        view["sync_warning"] = shown;
    }
    view
}
