//! Mirrors of whole organizations: create, show, change, delete, Sync Now, cancel, verify.

use moorage_domain::{
    Namespace, RobotName, Timestamp,
    mirror::SyncPolicy,
    organization::OrganizationMirrorConfig,
    run::Trigger,
    status::NotEligible,
    task::{Task, TaskAnswer},
    usage_log::LogKind,
};
use moorage_state::{
    CreateOrganizationMirrorError, MirrorSecrets, OrganizationMirror, Owner, Race, StateError, TransitionError,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    answer::Answer,
    api::{Api, Call, now},
    error::ApiError,
    mirror_secrets::{self, Change, Place, PlainProxies},
    organization,
    organization_mirror_body::{self, OrganizationMirrorBody},
    organization_mirror_list as list, organization_mirror_schedule as schedule, robot, runs, share, sync_policy,
};

/// Seconds that one tag may take, unless the body says otherwise, as in Quay.
const DEFAULT_TIMEOUT: u64 = 300;

/// `GET organization/{orgname}/mirror`.
pub(crate) async fn get(api: &Api, name: &str) -> Result<Answer, ApiError> {
    let mirror = find(api, name).await?;
    let counts = list::counts(&list::all(api, &mirror.config.organization).await?);
    Ok(Answer::ok(view(&mirror, &counts)))
}

/// `POST organization/{orgname}/mirror`.
pub(crate) async fn create(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let unchecked = organization_mirror_body::parse_new(&body)?;
    let organization = organization::find(api, name).await?.name;
    let robot = robot(api, call, &organization, unchecked.robot_username()).await?;
    let body = unchecked.check(&api.guard, None)?;
    body.proxies.refuse_masked()?;
    if !api.table.repositories(&organization, 1, None).await?.repositories.is_empty() {
        return Err(not_empty());
    }
    let start = body.sync_start_date.ok_or_else(missing)?;
    let config = new_config(&organization, &body, robot)?;
    let secrets = secrets(api, &config, None, &PlainProxies::default(), &body).await?;
    let mirror = match api.table.create_organization_mirror(config, secrets, start, now()).await {
        Ok(mirror) => mirror,
        Err(CreateOrganizationMirrorError::Exists) => {
            return Err(ApiError::InvalidRequest("Mirror configuration already exists for this organization".into()));
        }
        Err(CreateOrganizationMirrorError::NoOrganization) => return Err(ApiError::NotFound),
        Err(CreateOrganizationMirrorError::NoRobot) => return Err(unknown_robot(name)),
        Err(CreateOrganizationMirrorError::State(error)) => return Err(error.into()),
    };
    let config = &mirror.config;
    let metadata = [
        ("external_registry_type", config.external_registry_type.as_str().into()),
        ("external_registry_url", config.external_registry_url.as_str().into()),
        ("external_namespace", config.external_namespace.as_str().into()),
        ("sync_interval", config.sync_interval.into()),
        ("robot_username", config.robot.as_str().into()),
    ];
    api.log_namespace(call, &organization, LogKind::OrgMirrorEnabled, metadata).await;
    schedule::follow(api, mirror, true).await?;
    Ok(Answer::created())
}

/// `PUT organization/{orgname}/mirror`: all or nothing.
pub(crate) async fn change(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let sent = call.object()?;
    let unchecked = organization_mirror_body::parse(&sent)?;
    let (organization, robot, body) = {
        let first = find(api, name).await?.config;
        let robot = match unchecked.robot_username() {
            Some(username) => Some(robot(api, call, &first.organization, Some(username)).await?),
            None => None,
        };
        let place = (&first.external_registry_url, first.external_namespace.as_str());
        let body = unchecked.check(&api.guard, Some(place))?;
        (first.organization, robot, body)
    };
    let mut race = Race::begin();
    loop {
        let before = find(api, name).await?;
        let mut after = before.clone();
        let plain = mirror_secrets::take_plain(&mut after.config.external_registry_config);
        let stored = after.config.clone();
        apply(&mut after, &body, robot.as_ref());
        after.secrets = secrets(api, &after.config, Some((&before.secrets, &stored)), &plain, &body).await?;
        match api.table.change_organization_mirror(&after, &before).await {
            Ok(()) => {}
            Err(StateError::Conflict) => {
                race.lost().await?;
                continue;
            }
            Err(StateError::NotFound) => return Err(unknown_robot(body.robot_username.as_deref().unwrap_or_default())),
            Err(error) => return Err(error.into()),
        }
        let dropped = mirror_secrets::newly_dropped(&before.secrets, &after.secrets);
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

/// `DELETE organization/{orgname}/mirror`: its repositories become ordinary ones, and keep their images.
pub(crate) async fn delete(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let mirror = find(api, name).await?;
    end(api, &mirror).await?;
    log(api, &mirror, call, LogKind::OrgMirrorDisabled).await;
    Ok(Answer::NoContent)
}

/// Ends an organization's mirror. What takes longer than a call may is gone on with by the sync function.
pub(crate) async fn end(api: &Api, mirror: &OrganizationMirror) -> Result<(), ApiError> {
    let organization = mirror.config.organization.clone();
    api.table.mark_organization_mirror_deleted(&organization).await?;
    if let Err(error) = api.invoker.ask(&Task::ReleaseDiscovered { organization: organization.clone() }).await {
        // The next reconciliation goes on.
        tracing::warn!(%organization, %error, "the repositories of a deleted mirror are not released yet");
    }
    Ok(())
}

/// `POST organization/{orgname}/mirror/sync-now`.
pub(crate) async fn sync_now(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let running = || ApiError::InvalidRequest("Cannot trigger sync: mirror is currently syncing".into());
    let organization = find(api, name).await?.config.organization;
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

/// `POST organization/{orgname}/mirror/sync-cancel`.
pub(crate) async fn sync_cancel(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let organization = find(api, name).await?.config.organization;
    let stopped = api.table.transition_organization(&organization, |it| Ok(it.state.stop(Uuid::new_v4())?)).await;
    let mirror = stopped.map_err(|error| match error {
        TransitionError::NotEligible(_) => {
            ApiError::InvalidRequest("Cannot cancel: mirror is already cancelled".into())
        }
        other => other.into(),
    })?;
    api.invoker.order(&Task::CancelDiscovered { organization }).await?;
    log(api, &mirror, call, LogKind::OrgMirrorSyncCancelled).await;
    Ok(Answer::NoContent)
}

/// `POST organization/{orgname}/mirror/verify`: whether the registry can be asked. That it cannot is an answer.
pub(crate) async fn verify(api: &Api, name: &str) -> Result<Answer, ApiError> {
    let organization = find(api, name).await?.config.organization;
    match share::ask_registry(api, &organization, &Task::CheckSource { organization: organization.clone() }).await? {
        TaskAnswer::Checked { success, message } => Ok(Answer::ok(json!({"success": success, "message": message}))),
        TaskAnswer::NotFound => Err(ApiError::NotFound),
        other => Err(ApiError::Unavailable(format!("the sync function answered {other:?}"))),
    }
}

/// Fails if the mirror of a namespace as a whole decides about its repositories.
pub(crate) async fn refuse(api: &Api, namespace: &Namespace, what: &str) -> Result<(), ApiError> {
    if api.table.organization_mirror(namespace).await?.is_none() {
        return Ok(());
    }
    Err(ApiError::InvalidRequest(format!("{what} when organization-level mirroring is configured")))
}

/// The mirror of an organization, or 404.
pub(crate) async fn find(api: &Api, name: &str) -> Result<OrganizationMirror, ApiError> {
    let name: Namespace = name.parse().map_err(|_| ApiError::NotFound)?;
    api.table.organization_mirror(&name).await?.ok_or(ApiError::NotFound)
}

/// The robot of a mirror: it exists, and belongs to the organization.
async fn robot(
    api: &Api,
    call: &Call,
    organization: &Namespace,
    username: Option<&str>,
) -> Result<RobotName, ApiError> {
    let username = username.unwrap_or_default();
    let name: RobotName = username.parse().map_err(|_| unknown_robot(username))?;
    robot::named(api, call, &name).await?.ok_or_else(|| unknown_robot(username))?;
    if name.namespace() == *organization {
        return Ok(name);
    }
    Err(ApiError::InvalidRequest("Robot account must belong to the organization".into()))
}

fn unknown_robot(username: &str) -> ApiError {
    ApiError::InvalidRequest(format!("Invalid robot account: {username:.100}"))
}

fn missing() -> ApiError {
    ApiError::InvalidRequest("a required property is missing".into())
}

fn not_empty() -> ApiError {
    let why = "Cannot create organization mirror: the organization already contains repositories. Organization mirroring \
               requires an empty organization.";
    ApiError::InvalidRequest(why.into())
}

/// The secrets of a mirror that is to be as `after`, from what was stored `before` and what the body gives.
async fn secrets(
    api: &Api,
    after: &OrganizationMirrorConfig,
    before: Option<(&MirrorSecrets, &OrganizationMirrorConfig)>,
    plain: &PlainProxies,
    body: &OrganizationMirrorBody,
) -> Result<MirrorSecrets, ApiError> {
    let change = Change {
        owner: Owner::Organization(&after.organization),
        before: before.map(|(secrets, config)| (secrets, place(config))),
        plain,
        after: place(after),
        password: body.external_registry_password.as_ref(),
        proxies: &body.proxies,
        has_user: after.external_registry_username.as_ref().is_some_and(|name| !name.is_empty()),
        // Quay's API wants a token and no user.
        is_used: true,
    };
    change.secrets(api).await
}

fn place(config: &OrganizationMirrorConfig) -> Place<'_> {
    let url = &config.external_registry_url;
    let scheme = if url.as_str().starts_with("http://") { "http" } else { "https" };
    Place { scheme, registry: url.authority(), config: &config.external_registry_config }
}

fn new_config(
    organization: &Namespace,
    body: &OrganizationMirrorBody,
    robot: RobotName,
) -> Result<OrganizationMirrorConfig, ApiError> {
    let mut policy = SyncPolicy::default();
    body.policy.apply(&mut policy);
    Ok(OrganizationMirrorConfig {
        organization: organization.clone(),
        is_enabled: body.is_enabled.unwrap_or(true),
        external_registry_type: body.external_registry_type.ok_or_else(missing)?,
        external_registry_url: body.external_registry_url.clone().ok_or_else(missing)?,
        external_namespace: body.external_namespace.clone().ok_or_else(missing)?,
        external_registry_username: body.external_registry_username.clone().flatten(),
        external_registry_config: body.external_registry_config.clone().unwrap_or_default(),
        repository_filters: body.repository_filters.clone().unwrap_or_default(),
        robot,
        is_public: body.is_public.ok_or_else(missing)?,
        sync_interval: body.sync_interval.ok_or_else(missing)?,
        skopeo_timeout: body.skopeo_timeout.unwrap_or(DEFAULT_TIMEOUT),
        policy,
    })
}

/// Changes the mirror to what the body gives, but for its secrets.
fn apply(after: &mut OrganizationMirror, body: &OrganizationMirrorBody, robot: Option<&RobotName>) {
    use crate::mirror::set;

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

async fn log(api: &Api, mirror: &OrganizationMirror, call: &Call, kind: LogKind) {
    let metadata = [("external_reference", mirror.config.source().into())];
    api.log_namespace(call, &mirror.config.organization, kind, metadata).await;
}

/// Quay's view of an organization's mirror. The password is not part of it. What Quay does not have is there only where it
/// says something.
fn view(mirror: &OrganizationMirror, counts: &Value) -> Value {
    let (config, state) = (&mirror.config, &mirror.state);
    let mut view = json!({
        "is_enabled": config.is_enabled,
        "external_registry_type": config.external_registry_type,
        "external_registry_url": config.external_registry_url,
        "external_namespace": config.external_namespace,
        "external_registry_username": config.external_registry_username,
        "has_external_registry_password": mirror.secrets.external_registry_password.is_some(),
        "external_registry_config": mirror_secrets::shown(&config.external_registry_config, &mirror.secrets),
        "repository_filters": config.repository_filters,
        "robot_username": config.robot,
        "visibility": if config.is_public { "public" } else { "private" },
        "sync_interval": config.sync_interval,
        "sync_start_date": state.sync_start_date.iso(),
        "sync_expiration_date": state.sync_expiration_date.map(Timestamp::iso),
        "sync_status": state.sync_status.as_str(),
        "sync_retries_remaining": state.sync_retries_remaining,
        "repo_sync_status_counts": counts,
        "skopeo_timeout": config.skopeo_timeout,
        "creation_date": mirror.created.iso(),
    });
    sync_policy::show(&config.policy, &mut view);
    if let Some(until) = state.sync_waiting_until {
        view["sync_waiting_until"] = until.iso().into();
    }
    if let Some(warning) = mirror.secrets.credentials_dropped.warning() {
        view["sync_warning"] = runs::warning(warning);
    }
    if let Some(message) = &state.last_failure {
        view["status_message"] = message.as_str().into();
    }
    view
}
