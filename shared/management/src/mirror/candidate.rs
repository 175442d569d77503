//! Where a mirror would copy from that is not there yet, or is not so: for a preview. What is sent is checked as for a
//! mirror, and secrets are encrypted as a mirror's; nothing is stored.

use moorage_domain::{
    MirrorSecrets, RepositoryName, RobotName,
    mirror::{MIN_SYNC_TIMEOUT, RegistryConfig},
    preview::PreviewSource,
};
use moorage_state::Mirror;

use crate::{
    api::Api,
    external_registry::secrets::{PlainProxies, take_plain},
    http::{call::Call, error::ApiError, field::set},
    mirror::{
        body::MirrorBody,
        find::{MANAGED, refuse_if_discovered},
        robot::{Upstream, require_login, robot},
        secrets::{Place, secrets},
    },
    organization_mirror::find::refuse_if_mirrored,
    repository::find::find_repository,
};

/// The source of a mirror that is not there yet; 404 if the body does not name it, as there is nothing else to ask.
pub(crate) async fn of_new(
    api: &Api,
    call: &Call,
    repository: &RepositoryName,
    body: &MirrorBody,
) -> Result<PreviewSource, ApiError> {
    find_repository(api, repository).await?;
    let reference = body.external_reference.clone().ok_or(ApiError::NotFound)?;
    refuse_if_mirrored(api, &repository.namespace(), MANAGED).await?;
    body.proxies.refuse_masked()?;
    let source = PreviewSource {
        external_reference: reference,
        external_registry_username: body.external_registry_username.clone().flatten(),
        external_registry_config: RegistryConfig::new(body.external_registry_config.clone().unwrap_or_default()),
        secrets: MirrorSecrets::default(),
        robot: sent_robot(api, call, repository, body).await?,
        skopeo_timeout_interval: body.skopeo_timeout_interval.unwrap_or(MIN_SYNC_TIMEOUT),
    };
    require_login(api, call, repository, None, Upstream::of_preview(&source)).await?;
    let secrets = secrets(api, repository, place(&source), None, &PlainProxies::default(), body).await?;
    Ok(PreviewSource { secrets, ..source })
}

/// The source of a mirror if it were changed to what the body gives; nothing if that says nothing of it. Stored passwords
/// go only where they would after that change: nowhere else than where they were sent for.
pub(crate) async fn of_change(
    api: &Api,
    call: &Call,
    mirror: &Mirror,
    body: &MirrorBody,
) -> Result<Option<PreviewSource>, ApiError> {
    if !names_source(body) {
        return Ok(None);
    }
    refuse_if_discovered(mirror)?;
    let config = &mirror.config;
    let repository = &config.repository;
    let mut stored = config.external_registry_config.clone();
    let plain = take_plain(&mut stored);
    let mut source = PreviewSource {
        external_reference: config.external_reference.clone(),
        external_registry_username: config.external_registry_username.clone(),
        external_registry_config: stored.clone(),
        secrets: MirrorSecrets::default(),
        robot: Some(sent_robot(api, call, repository, body).await?.unwrap_or_else(|| config.robot.clone())),
        skopeo_timeout_interval: config.skopeo_timeout_interval,
    };
    set(&mut source.external_reference, body.external_reference.as_ref());
    set(&mut source.external_registry_username, body.external_registry_username.as_ref());
    if let Some(sent) = &body.external_registry_config {
        source.external_registry_config.merge(sent);
    }
    set(&mut source.skopeo_timeout_interval, body.skopeo_timeout_interval.as_ref());
    let of_mirror = Upstream { config: &stored, ..Upstream::of(config) };
    require_login(api, call, repository, Some(of_mirror), Upstream::of_preview(&source)).await?;
    let before = (&mirror.secrets, Place { config: &stored, ..Place::of(config) });
    let secrets = secrets(api, repository, place(&source), Some(before), &plain, body).await?;
    Ok(Some(PreviewSource { secrets, ..source }))
}

/// Whether a body says anything of where to copy from, and as whom.
fn names_source(body: &MirrorBody) -> bool {
    body.names_registry() || body.robot_username.is_some() || body.skopeo_timeout_interval.is_some()
}

/// The robot that a body names, which has to be one that the mirror might have.
async fn sent_robot(
    api: &Api,
    call: &Call,
    repository: &RepositoryName,
    body: &MirrorBody,
) -> Result<Option<RobotName>, ApiError> {
    match &body.robot_username {
        Some(username) => Ok(Some(robot(api, call, repository, Some(username)).await?)),
        None => Ok(None),
    }
}

fn place(source: &PreviewSource) -> Place<'_> {
    Place {
        reference: &source.external_reference,
        username: source.external_registry_username.as_deref(),
        config: &source.external_registry_config,
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::Guard;
    use serde_json::{Value, json};

    use super::*;
    use crate::mirror::body::parse;

    #[test]
    fn what_only_selects_names_no_source() {
        let names = |body: Value| {
            let body = parse(body.as_object().unwrap()).and_then(|body| body.check(&Guard::default())).unwrap();
            names_source(&body)
        };
        let rule = json!({"rule_kind": "tag_glob_csv", "rule_value": ["*"]});
        assert!(!names(json!({"root_rule": rule, "architecture_filter": ["amd64"], "deletion_limit": 1})));
        for source in [
            json!({"external_reference": "quay.io/a/b"}),
            json!({"external_registry_username": null}),
            json!({"external_registry_password": "x"}),
            json!({"external_registry_config": {}}),
            json!({"robot_username": "a+b"}),
            json!({"skopeo_timeout_interval": 300}),
        ] {
            assert!(names(source.clone()), "{source}");
        }
    }
}
