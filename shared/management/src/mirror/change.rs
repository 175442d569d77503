//! Changes of mirrors.

use moorage_domain::{RepositoryName, RobotName, usage_log::LogKind};
use moorage_state::{Mirror, Race, StateError};

use crate::{
    api::Api,
    external_registry::secrets as registry_secrets,
    http::{answer::Answer, call::Call, entity_tag, error::ApiError, field::set},
    mirror::{
        body::{self, MirrorBody},
        find::{find_mirror, refuse_if_discovered},
        log::changes,
        robot::{Upstream, grant, require_login, robot},
        schedule,
        secrets::{Place, secrets},
    },
    robot::find::unknown_robot,
    trust_root,
};

/// `PUT …/mirror`: all or nothing.
pub(crate) async fn change(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let unchecked = body::parse(&body)?;
    refuse_if_discovered(&find_mirror(api, repository).await?)?;
    let body = unchecked.check_change(&api.guard)?;
    trust_root::find::expect(api, &body.policy).await?;
    let robot = match &body.robot_username {
        Some(username) => Some(robot(api, call, repository, Some(username)).await?),
        None => None,
    };
    let mut race = Race::begin();
    loop {
        let before = find_mirror(api, repository).await?;
        entity_tag::expect(call, &entity_tag::entity_tag(before.created, before.config_revision))?;
        let mut after = before.clone();
        let plain = registry_secrets::take_plain(&mut after.config.external_registry_config);
        let stored = after.config.clone();
        apply(&mut after, &body, robot.as_ref());
        require_login(api, call, repository, Some(Upstream::of(&stored)), Upstream::of(&after.config)).await?;
        // What is encrypted is for the place that is written with it, whatever another change did meanwhile.
        after.secrets = secrets(
            api,
            repository,
            Place::of(&after.config),
            Some((&before.secrets, Place::of(&stored))),
            &plain,
            &body,
        )
        .await?;
        let restarted = body.sync_start_date.is_some() || (after.config.is_enabled && !before.config.is_enabled);
        let is_scheduled =
            !restarted && before.scheduled_revision == before.config_revision && has_same_schedule(&before, &after);
        if is_scheduled {
            after.scheduled_revision = before.config_revision + 1;
        }
        let role = match &robot {
            Some(robot) => grant(api, repository, robot).await?,
            None => None,
        };
        let dropped = registry_secrets::newly_dropped(&before.secrets, &after.secrets);
        match api.table.change_mirror(&after, &before, role).await {
            Ok(()) => {}
            Err(StateError::Conflict) => {
                race.lost().await?;
                continue;
            }
            Err(StateError::NotFound) => return Err(unknown_robot()),
            Err(error) => return Err(error.into()),
        }
        if before.config.policy.gate.asks() && !after.config.policy.gate.asks() {
            api.table.forget_holds(repository).await?;
        }
        let dropped = dropped.into_iter().map(registry_secrets::dropped_entry);
        let dropped = dropped.map(|metadata| (LogKind::RepoMirrorConfigChanged, metadata));
        api.log(call, repository, changes(&body).into_iter().chain(dropped).collect()).await;
        if !is_scheduled {
            after.config_revision += 1;
            schedule::follow(api, after, restarted).await?;
        }
        return Ok(Answer::created());
    }
}

/// Whether both have the same schedule.
fn has_same_schedule(before: &Mirror, after: &Mirror) -> bool {
    let of = |mirror: &Mirror| (mirror.config.sync_interval, mirror.config.is_enabled, mirror.state.sync_start_date);
    of(before) == of(after)
}

/// Changes the mirror to what the body gives, but for its secrets.
fn apply(after: &mut Mirror, body: &MirrorBody, robot: Option<&RobotName>) {
    let config = &mut after.config;
    set(&mut config.is_enabled, body.is_enabled.as_ref());
    set(&mut config.external_reference, body.external_reference.as_ref());
    set(&mut config.external_registry_username, body.external_registry_username.as_ref());
    if let Some(sent) = &body.external_registry_config {
        config.external_registry_config.merge(sent);
    }
    set(&mut config.root_rule, body.root_rule.as_ref());
    set(&mut config.sync_interval, body.sync_interval.as_ref());
    set(&mut config.robot, robot);
    set(&mut config.skopeo_timeout_interval, body.skopeo_timeout_interval.as_ref());
    set(&mut config.architecture_filter, body.architecture_filter.as_ref());
    body.policy.apply(&mut config.policy);
    set(&mut after.state.sync_start_date, body.sync_start_date.as_ref());
}
