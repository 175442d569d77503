//! Mirrors: create, show, change, Sync Now, cancel.

use moorage_domain::{
    ExposeSecret as _, RepositoryName, RobotName, SecretString,
    mirror::{MirrorConfig, RegistryConfig},
    run::{RunId, SyncRequest, Trigger},
    usage_log::LogKind,
};
use moorage_state::{Ciphertext, CreateMirrorError, Mirror, NewMirror, Purpose, Role, StateError};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    answer::Answer,
    api::{Api, Call, Patience, now},
    error::ApiError,
    mirror_body::{self, MirrorBody},
    mirror_schedule, organization_mirror, rate_limit, repository, runs,
};

/// What Quay answers where an organization's mirror decides.
const MANAGED: &str = "Repository mirror configuration cannot be managed";
/// How often a change is made again after losing a race against another one.
const MAX_RACES: u32 = 5;

/// `GET …/mirror`.
pub(crate) async fn get(api: &Api, repository: &RepositoryName) -> Result<Answer, ApiError> {
    Ok(Answer::ok(view(&find(api, repository).await?)))
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
    let robot = robot(api, repository, body.robot_username.as_deref()).await?;
    let password = encrypted(api, repository, body.external_registry_password.as_ref()).await?;
    let mut mirror = new_mirror(repository, body, robot, password.flatten())?;
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
    mirror_schedule::follow(api, mirror.clone(), true).await?;
    let reference = mirror.config.external_reference.as_str().into();
    api.log(call, repository, vec![changed("external_reference", reference)]).await;
    Ok(Answer::created())
}

/// `PUT …/mirror`: all or nothing.
pub(crate) async fn change(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let unchecked = mirror_body::parse(&body)?;
    refuse_if_discovered(&find(api, repository).await?)?;
    let body = unchecked.check_change(&api.guard)?;
    let robot = match &body.robot_username {
        Some(username) => Some(robot(api, repository, Some(username)).await?),
        None => None,
    };
    let password = encrypted(api, repository, body.external_registry_password.as_ref()).await?;
    for _ in 0..MAX_RACES {
        let before = find(api, repository).await?;
        let mut after = apply(&before, &body, robot.as_ref(), password.as_ref());
        let restarted = body.sync_start_date.is_some() || (after.config.is_enabled && !before.config.is_enabled);
        let is_scheduled = !restarted && before.scheduled_revision == before.config_revision && is_as(&before, &after);
        if is_scheduled {
            after.scheduled_revision = before.config_revision + 1;
        }
        let role = match &robot {
            Some(robot) => grant(api, repository, robot).await?,
            None => None,
        };
        match api.table.change_mirror(&after, &before, role).await {
            Ok(()) => {}
            Err(StateError::Conflict) => continue,
            Err(StateError::NotFound) => return Err(unknown_robot()),
            Err(error) => return Err(error.into()),
        }
        if !is_scheduled {
            after.config_revision += 1;
            mirror_schedule::follow(api, after, restarted).await?;
        }
        api.log(call, repository, changes(&body)).await;
        return Ok(Answer::created());
    }
    Err(StateError::Conflict.into())
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
async fn robot(api: &Api, repository: &RepositoryName, username: Option<&str>) -> Result<RobotName, ApiError> {
    let name: RobotName = username.unwrap_or_default().parse().map_err(|_| unknown_robot())?;
    api.table.robot(&name).await?.ok_or_else(unknown_robot)?;
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

/// A password as it is stored; an empty one is none. `None` where none was sent.
async fn encrypted(
    api: &Api,
    repository: &RepositoryName,
    password: Option<&Option<SecretString>>,
) -> Result<Option<Option<Ciphertext>>, ApiError> {
    let Some(password) = password else { return Ok(None) };
    let Some(password) = password.as_ref().filter(|password| !password.expose_secret().is_empty()) else {
        return Ok(Some(None));
    };
    Ok(Some(Some(api.secrets.encrypt(Purpose::Upstream(repository), password).await?)))
}

fn exists(repository: &RepositoryName) -> ApiError {
    // Quay's own spelling.
    ApiError::Exists(format!("Mirror configuration already exits for repository {repository}"))
}

fn new_mirror(
    repository: &RepositoryName,
    body: MirrorBody,
    robot: RobotName,
    password: Option<Ciphertext>,
) -> Result<NewMirror, ApiError> {
    let missing = || ApiError::InvalidRequest("a required property is missing".into());
    let config = MirrorConfig {
        repository: repository.clone(),
        is_enabled: body.is_enabled.unwrap_or(true),
        external_reference: body.external_reference.ok_or_else(missing)?,
        external_registry_username: body.external_registry_username.flatten(),
        external_registry_config: RegistryConfig::new(body.external_registry_config.unwrap_or_default()),
        root_rule: body.root_rule.ok_or_else(missing)?,
        sync_interval: body.sync_interval.ok_or_else(missing)?,
        robot,
        skopeo_timeout_interval: body.skopeo_timeout_interval.ok_or_else(missing)?,
        architecture_filter: body.architecture_filter.unwrap_or_default(),
        deletion_limit: body.deletion_limit.flatten(),
        rate_limit_floor: body.rate_limit_floor.flatten(),
    };
    let sync_start_date = body.sync_start_date.ok_or_else(missing)?;
    Ok(NewMirror { config, external_registry_password: password, sync_start_date, grant: None })
}

/// The mirror with what the body gives.
fn apply(
    before: &Mirror,
    body: &MirrorBody,
    robot: Option<&RobotName>,
    password: Option<&Option<Ciphertext>>,
) -> Mirror {
    let mut after = before.clone();
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
    set(&mut config.deletion_limit, body.deletion_limit.as_ref());
    set(&mut config.rate_limit_floor, body.rate_limit_floor.as_ref());
    set(&mut after.external_registry_password, password);
    set(&mut after.state.sync_start_date, body.sync_start_date.as_ref());
    after
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
        ("deletion_limit", body.deletion_limit.map(Value::from)),
        ("rate_limit_floor", body.rate_limit_floor.map(Value::from)),
        ("external_registry_username", body.external_registry_username.clone().map(Value::from)),
        ("external_registry_password", password.map(|password| password.as_ref().map(|_| "********").into())),
        ("mirror_rule", body.root_rule.as_ref().map(|rule| rule.patterns().to_vec().into())),
    ];
    let settings = settings.into_iter().filter_map(|(name, value)| Some(changed(name, value?)));
    // A proxy's URL may hold a password.
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
fn view(mirror: &Mirror) -> Value {
    let (config, state) = (&mirror.config, &mirror.state);
    let mut view = json!({
        "is_enabled": config.is_enabled,
        "mirror_type": "PULL",
        "external_reference": config.external_reference,
        "external_registry_username": config.external_registry_username,
        "external_registry_config": config.external_registry_config,
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
    if let Some(limit) = config.deletion_limit {
        view["deletion_limit"] = limit.into();
    }
    if let Some(floor) = config.rate_limit_floor {
        view["rate_limit_floor"] = floor.into();
    }
    if let Some(until) = state.sync_waiting_until {
        view["sync_waiting_until"] = until.iso().into();
    }
    if let Some(warning) = state.sync_warning {
        view["sync_warning"] = runs::warning(warning);
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_changes_hold_no_secrets() {
        let body = MirrorBody {
            external_registry_username: Some(Some("user".into())),
            external_registry_password: Some(Some("hunter2".into())),
            external_registry_config: json!({"verify_tls": true, "proxy": {"https_proxy": "http://u:hunter2@p:1"}})
                .as_object()
                .cloned(),
            ..MirrorBody::default()
        };
        let text = format!("{:?}", changes(&body));
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("********") && text.contains("http://p:1"), "{text}");
        assert_eq!(changes(&body).len(), 4);
    }
}
