//! New mirrors.

use moorage_domain::{
    MirrorSecrets, RepositoryName, RobotName,
    mirror::{MirrorConfig, RegistryConfig, SyncPolicy},
};
use moorage_state::{CreateMirrorError, NewMirror, now};

use crate::{
    api::Api,
    external_registry::secrets::PlainProxies,
    http::{answer::Answer, call::Call, error::ApiError},
    lock_wait::LockWait,
    mirror::{
        body::{self, MirrorBody},
        find::MANAGED,
        log::changed,
        robot::{Upstream, grant, require_login, robot},
        schedule,
        secrets::{Place, secrets},
    },
    organization_mirror::find::refuse_if_mirrored,
    repository::find::find_repository,
    robot::find::unknown_robot,
    trust_root,
};

/// `POST …/mirror`.
pub(crate) async fn create(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let unchecked = body::parse_new(&body)?;
    find_repository(api, repository).await?;
    refuse_if_mirrored(api, &repository.namespace(), MANAGED).await?;
    if api.table.mirror(repository).await?.is_some() {
        return Err(exists(repository));
    }
    let body = unchecked.check(&api.guard)?;
    body.proxies.refuse_masked()?;
    trust_root::find::expect(api, &body.policy).await?;
    let robot = robot(api, call, repository, body.robot_username.as_deref()).await?;
    let mut mirror = new_mirror(repository, &body, robot)?;
    require_login(api, call, repository, None, Upstream::of(&mirror.config)).await?;
    mirror.secrets = secrets(api, repository, Place::of(&mirror.config), None, &PlainProxies::default(), &body).await?;
    mirror.grant = grant(api, repository, &mirror.config.robot).await?;
    let wait = LockWait::begin();
    let created = loop {
        let created = match api.table.create_mirror(mirror.clone(), now()).await {
            Err(CreateMirrorError::State(error)) => Err(error),
            other => Ok(other),
        };
        if !wait.again(&created).await {
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
    schedule::follow(api, mirror, true).await?;
    Ok(Answer::created())
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
