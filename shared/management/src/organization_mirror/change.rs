//! Changes of an organization's mirror.

use moorage_domain::{RobotName, usage_log::LogKind};
use moorage_state::{OrganizationMirror, Race, StateError};

use crate::{
    api::Api,
    external_registry::secrets as registry_secrets,
    http::{answer::Answer, call::Call, entity_tag, error::ApiError, field::set},
    organization_mirror::{
        body::{self, OrganizationMirrorBody},
        find::find_organization_mirror,
        robot::{invalid_robot, robot},
        schedule,
        secrets::secrets,
    },
    trust_root,
};

/// `PUT organization/{orgname}/mirror`: all or nothing.
pub(crate) async fn change(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let sent = call.object()?;
    let unchecked = body::parse(&sent)?;
    let (organization, robot, body) = {
        let first = find_organization_mirror(api, name).await?.config;
        let robot = match unchecked.robot_username() {
            Some(username) => Some(robot(api, call, &first.organization, Some(username)).await?),
            None => None,
        };
        let source = (&first.external_registry_url, first.external_namespace.as_str());
        let body = unchecked.check(&api.guard, Some(source))?;
        trust_root::find::expect(api, &body.policy).await?;
        (first.organization, robot, body)
    };
    let mut race = Race::begin();
    loop {
        let before = find_organization_mirror(api, name).await?;
        entity_tag::expect(call, &entity_tag::entity_tag(before.created, before.config_revision))?;
        let mut after = before.clone();
        let plain = registry_secrets::take_plain(&mut after.config.external_registry_config);
        let stored = after.config.clone();
        apply(&mut after, &body, robot.as_ref());
        after.secrets = secrets(api, &after.config, Some((&before.secrets, &stored)), &plain, &body).await?;
        match api.table.change_organization_mirror(&after, &before).await {
            Ok(()) => {}
            Err(StateError::Conflict) => {
                race.lost().await?;
                continue;
            }
            Err(StateError::NotFound) => return Err(invalid_robot(body.robot_username.as_deref().unwrap_or_default())),
            Err(error) => return Err(error.into()),
        }
        let dropped = registry_secrets::newly_dropped(&before.secrets, &after.secrets);
        let [updated, old, new] = [
            ("updated_fields", sent.keys().cloned().collect::<Vec<_>>().into()),
            ("old_external_reference", before.config.source().into()),
            ("external_reference", after.config.source().into()),
        ];
        let kind = LogKind::OrgMirrorConfigChanged;
        if dropped.is_empty() {
            api.log_namespace(call, &organization, kind, [updated, old, new]).await;
        } else {
            let dropped = ("credentials_dropped", dropped.into());
            api.log_namespace(call, &organization, kind, [updated, old, new, dropped]).await;
        }
        after.config_revision += 1;
        let restarted = body.sync_start_date.is_some() || (after.config.is_enabled && !before.config.is_enabled);
        schedule::follow(api, after, restarted).await?;
        return Ok(Answer::ok("".into()));
    }
}

/// Changes the mirror to what the body gives, but for its secrets.
fn apply(after: &mut OrganizationMirror, body: &OrganizationMirrorBody, robot: Option<&RobotName>) {
    let config = &mut after.config;
    set(&mut config.is_enabled, body.is_enabled.as_ref());
    set(&mut config.external_registry_url, body.external_registry_url.as_ref());
    set(&mut config.external_namespace, body.external_namespace.as_ref());
    set(&mut config.external_registry_username, body.external_registry_username.as_ref());
    // Unlike a mirror's, it is replaced as a whole.
    set(&mut config.external_registry_config, body.external_registry_config.as_ref());
    set(&mut config.repository_filters, body.repository_filters.as_ref());
    set(&mut config.robot, robot);
    set(&mut config.is_public, body.is_public.as_ref());
    set(&mut config.sync_interval, body.sync_interval.as_ref());
    set(&mut config.skopeo_timeout, body.skopeo_timeout.as_ref());
    body.policy.apply(&mut config.policy);
    set(&mut after.state.sync_start_date, body.sync_start_date.as_ref());
}
