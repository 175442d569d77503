//! Mirrors: create, show, change, Sync Now, cancel.

use moorage_domain::{
    RepositoryName, RobotName,
    mirror::{MirrorConfig, RegistryConfig, SyncPolicy},
    run::{RunId, SyncRequest, Trigger},
    usage_log::LogKind,
};
use moorage_state::{CreateMirrorError, Mirror, MirrorSecrets, NewMirror, Owner, Race, Role, StateError};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    answer::Answer,
    api::{Api, Call, Patience, now},
    error::ApiError,
    mirror_body::{self, MirrorBody},
    mirror_schedule,
    mirror_secrets::{self, Change, Place, PlainProxies},
    organization_mirror, rate_limit, repository, robot, runs, sync_policy,
};

/// What Quay answers where an organization's mirror decides.
const MANAGED: &str = "Repository mirror configuration cannot be managed";

/// `GET …/mirror`.
pub(crate) async fn get(api: &Api, repository: &RepositoryName) -> Result<Answer, ApiError> {
    let mirror = find(api, repository).await?;
    let secrets = secrets_of(api, &mirror).await?;
    Ok(Answer::ok(view(&mirror, &secrets)))
}

/// `POST …/mirror`.
pub(crate) async fn create(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let unchecked = mirror_body::parse_new(&body)?;
    repository::find(api, repository).await?;
    organization_mirror::refuse(api, &repository.namespace(), MANAGED).await?;
    if api.table.mirror(repository).await?.is_some() {
        return Err(exists(repository));
    }
    let body = unchecked.check(&api.guard)?;
    body.proxies.refuse_masked()?;
    let robot = robot(api, call, repository, body.robot_username.as_deref()).await?;
    let mut mirror = new_mirror(repository, &body, robot)?;
    mirror.secrets = secrets(api, &mirror.config, None, &PlainProxies::default(), &body).await?;
    mirror.grant = grant(api, repository, &mirror.config.robot).await?;
    let patience = Patience::begin();
    let created = loop {
        let created = match api.table.create_mirror(mirror.clone(), now()).await {
            Err(CreateMirrorError::State(error)) => Err(error),
            other => Ok(other),
        };
        if !patience.again(&created).await {
            break created?;
        }
    };
    let mirror = match created {
        Ok(mirror) => mirror,
        Err(CreateMirrorError::Exists) => return Err(exists(repository)),
        Err(CreateMirrorError::NoRepository) => return Err(ApiError::NotFound),
        Err(CreateMirrorError::NoRobot) => return Err(unknown_robot()),
        Err(CreateMirrorError::State(error)) => return Err(error.into()),
    };
    let reference = mirror.config.external_reference.as_str().into();
    api.log(call, repository, vec![changed("external_reference", reference)]).await;
    mirror_schedule::follow(api, mirror, true).await?;
    Ok(Answer::created())
}

/// `PUT …/mirror`: all or nothing.
pub(crate) async fn change(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let unchecked = mirror_body::parse(&body)?;
    refuse_if_discovered(&find(api, repository).await?)?;
    let body = unchecked.check_change(&api.guard)?;
    let robot = match &body.robot_username {
        Some(username) => Some(robot(api, call, repository, Some(username)).await?),
        None => None,
    };
    let mut race = Race::begin();
    loop {
        let before = find(api, repository).await?;
        let mut after = before.clone();
        let plain = mirror_secrets::take_plain(&mut after.config.external_registry_config);
        let stored = after.config.clone();
        apply(&mut after, &body, robot.as_ref());
        // What is encrypted is for the place that is written with it, whatever another change did meanwhile.
        after.secrets = secrets(api, &after.config, Some((&before.secrets, &stored)), &plain, &body).await?;
        let restarted = body.sync_start_date.is_some() || (after.config.is_enabled && !before.config.is_enabled);
        let is_scheduled = !restarted && before.scheduled_revision == before.config_revision && is_as(&before, &after);
        if is_scheduled {
            after.scheduled_revision = before.config_revision + 1;
        }
        let role = match &robot {
            Some(robot) => grant(api, repository, robot).await?,
            None => None,
        };
        let dropped = mirror_secrets::newly_dropped(&before.secrets, &after.secrets);
        match api.table.change_mirror(&after, &before, role).await {
            Ok(()) => {}
            Err(StateError::Conflict) => {
                race.lost().await?;
                continue;
            }
            Err(StateError::NotFound) => return Err(unknown_robot()),
            Err(error) => return Err(error.into()),
        }
        let dropped = dropped.into_iter().map(mirror_secrets::dropped_entry);
        let dropped = dropped.map(|metadata| (LogKind::RepoMirrorConfigChanged, metadata));
        api.log(call, repository, changes(&body).into_iter().chain(dropped).collect()).await;
        if !is_scheduled {
            after.config_revision += 1;
            mirror_schedule::follow(api, after, restarted).await?;
        }
        return Ok(Answer::created());
    }
}

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

/// Fails if its organization's mirror manages the mirror.
pub(crate) fn refuse_if_discovered(mirror: &Mirror) -> Result<(), ApiError> {
    if !mirror.is_discovered {
        return Ok(());
    }
    Err(ApiError::InvalidRequest(format!("{MANAGED} when organization-level mirroring is configured")))
}

/// The mirror of a repository, or 404.
pub(crate) async fn find(api: &Api, repository: &RepositoryName) -> Result<Mirror, ApiError> {
    api.table.mirror(repository).await?.ok_or(ApiError::NotFound)
}

/// The robot of a mirror: it exists, and belongs to the repository's namespace.
async fn robot(
    api: &Api,
    call: &Call,
    repository: &RepositoryName,
    username: Option<&str>,
) -> Result<RobotName, ApiError> {
    let name: RobotName = username.unwrap_or_default().parse().map_err(|_| unknown_robot())?;
    robot::named(api, call, &name).await?.ok_or_else(unknown_robot)?;
    if name.namespace() != repository.namespace() {
        return Err(ApiError::BrokenRule("Invalid robot".into()));
    }
    Ok(name)
}

fn unknown_robot() -> ApiError {
    ApiError::BrokenRule("Could not find robot with specified username".into())
}

/// The role that a mirror's robot still needs: it must be allowed to write.
async fn grant(api: &Api, repository: &RepositoryName, robot: &RobotName) -> Result<Option<Role>, ApiError> {
    let robot = api.table.robot(robot).await?.ok_or_else(unknown_robot)?;
    let role = api.table.role(repository, &robot).await?;
    Ok(role.is_none_or(|role| role < Role::Write).then_some(Role::Write))
}

/// Whether both have the same schedule.
fn is_as(before: &Mirror, after: &Mirror) -> bool {
    let of = |mirror: &Mirror| (mirror.config.sync_interval, mirror.config.is_enabled, mirror.state.sync_start_date);
    of(before) == of(after)
}

/// The secrets of a mirror that is to be as `after`, from what was stored `before` and what the body gives.
async fn secrets(
    api: &Api,
    after: &MirrorConfig,
    before: Option<(&MirrorSecrets, &MirrorConfig)>,
    plain: &PlainProxies,
    body: &MirrorBody,
) -> Result<MirrorSecrets, ApiError> {
    let change = Change {
        owner: Owner::Repository(&after.repository),
        before: before.map(|(secrets, config)| (secrets, place(config))),
        plain,
        after: place(after),
        password: body.external_registry_password.as_ref(),
        proxies: &body.proxies,
        has_user: after.external_registry_username.as_ref().is_some_and(|name| !name.is_empty()),
        is_used: after.external_registry_username.is_some(),
    };
    change.secrets(api).await
}

fn place(config: &MirrorConfig) -> Place<'_> {
    let registry = config.external_reference.registry();
    Place { scheme: "", registry, config: &config.external_registry_config }
}

/// The secrets that a mirror uses: its own, or those of its organization's mirror.
async fn secrets_of(api: &Api, mirror: &Mirror) -> Result<MirrorSecrets, ApiError> {
    if !mirror.is_discovered {
        return Ok(mirror.secrets.clone());
    }
    let organization = api.table.organization_mirror(&mirror.config.repository.namespace()).await?;
    Ok(organization.map(|organization| organization.secrets).unwrap_or_default())
}

fn exists(repository: &RepositoryName) -> ApiError {
    // Quay's own spelling.
    ApiError::Exists(format!("Mirror configuration already exits for repository {repository}"))
}

fn new_mirror(repository: &RepositoryName, body: &MirrorBody, robot: RobotName) -> Result<NewMirror, ApiError> {
    let missing = || ApiError::InvalidRequest("a required property is missing".into());
    let mut policy = SyncPolicy::default();
    body.policy.apply(&mut policy);
    let config = MirrorConfig {
        repository: repository.clone(),
        is_enabled: body.is_enabled.unwrap_or(true),
        external_reference: body.external_reference.clone().ok_or_else(missing)?,
        external_registry_username: body.external_registry_username.clone().flatten(),
        external_registry_config: RegistryConfig::new(body.external_registry_config.clone().unwrap_or_default()),
        root_rule: body.root_rule.clone().ok_or_else(missing)?,
        sync_interval: body.sync_interval.ok_or_else(missing)?,
        robot,
        skopeo_timeout_interval: body.skopeo_timeout_interval.ok_or_else(missing)?,
        architecture_filter: body.architecture_filter.clone().unwrap_or_default(),
        policy,
    };
    let sync_start_date = body.sync_start_date.ok_or_else(missing)?;
    Ok(NewMirror { config, secrets: MirrorSecrets::default(), sync_start_date, grant: None })
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

pub(crate) fn set<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}

/// Quay's entry of one changed setting.
pub(crate) fn changed(what: &str, to: Value) -> (LogKind, Map<String, Value>) {
    let metadata = [("changed", what.into()), ("to", to)];
    (LogKind::RepoMirrorConfigChanged, metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Quay's entries of a PUT: one for each setting that it gives.
fn changes(body: &MirrorBody) -> Vec<(LogKind, Map<String, Value>)> {
    let password = body.external_registry_password.as_ref();
    let config = body.external_registry_config.as_ref();
    let flags = config.into_iter().flatten().filter(|(key, _)| *key != "proxy");
    let proxies = config.and_then(|config| config.get("proxy")?.as_object()).into_iter().flatten();
    let settings = [
        ("is_enabled", body.is_enabled.map(Value::from)),
        ("external_reference", body.external_reference.as_ref().map(|reference| reference.as_str().into())),
        ("sync_start_date", body.sync_start_date.map(|date| date.iso().into())),
        ("sync_interval", body.sync_interval.map(Value::from)),
        ("skopeo_timeout_interval", body.skopeo_timeout_interval.map(Value::from)),
        ("robot_username", body.robot_username.clone().map(Value::from)),
        ("architecture_filter", body.architecture_filter.clone().map(Value::from)),
        ("external_registry_username", body.external_registry_username.clone().map(Value::from)),
        ("external_registry_password", password.map(|password| password.as_ref().map(|_| "********").into())),
        ("mirror_rule", body.root_rule.as_ref().map(|rule| rule.patterns().to_vec().into())),
    ];
    let settings =
        settings.into_iter().chain(body.policy.changes()).filter_map(|(name, value)| Some(changed(name, value?)));
    // Without their users, as they are without their passwords.
    let proxies = proxies.map(|(key, value)| changed(key, value.as_str().map(without_user).into()));
    settings.chain(flags.map(|(key, value)| changed(key, value.clone()))).chain(proxies).collect()
}

fn without_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

/// Quay's view of a mirror. The password is not part of it. What Quay does not have is there only where it says
/// something: clients compare what they get key by key.
fn view(mirror: &Mirror, secrets: &MirrorSecrets) -> Value {
    let (config, state) = (&mirror.config, &mirror.state);
    let mut view = json!({
        "is_enabled": config.is_enabled,
        "mirror_type": "PULL",
        "external_reference": config.external_reference,
        "external_registry_username": config.external_registry_username,
        "external_registry_config": mirror_secrets::shown(&config.external_registry_config, secrets),
        "sync_interval": config.sync_interval,
        "sync_start_date": state.sync_start_date.iso(),
        "sync_expiration_date": state.sync_expiration_date.map(moorage_domain::Timestamp::iso),
        "sync_retries_remaining": state.sync_retries_remaining,
        "sync_status": state.sync_status.as_str(),
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": config.root_rule.patterns()},
        "robot_username": config.robot,
        "skopeo_timeout_interval": config.skopeo_timeout_interval,
        "architecture_filter": config.architecture_filter,
    });
    sync_policy::show(&config.policy, &mut view);
    if let Some(until) = state.sync_waiting_until {
        view["sync_waiting_until"] = until.iso().into();
    }
    if let Some(warning) = secrets.credentials_dropped.warning().or(state.sync_warning) {
        view["sync_warning"] = runs::warning(warning);
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_changes_hold_no_secrets() {
        let config = json!({"verify_tls": true, "proxy": {"https_proxy": "http://u:hunter2@p:1"}});
        let config = json!({"external_registry_config": config});
        let body = MirrorBody {
            external_registry_username: Some(Some("user".into())),
            external_registry_password: Some(Some("hunter2".into())),
            ..mirror_body::parse(config.as_object().unwrap()).unwrap().check(&moorage_domain::Guard::default()).unwrap()
        };
        let text = format!("{:?}", changes(&body));
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("********") && text.contains("http://p:1"), "{text}");
        assert_eq!(changes(&body).len(), 4);
    }
}
