//! New mirrors of organizations.

use moorage_domain::{
    Namespace, RobotName, mirror::SyncPolicy, organization::OrganizationMirrorConfig, usage_log::LogKind,
};
use moorage_state::{CreateOrganizationMirrorError, now};

use crate::{
    api::Api,
    external_registry::secrets::PlainProxies,
    http::{answer::Answer, call::Call, error::ApiError},
    organization::find::find_organization,
    organization_mirror::{
        body::{self, OrganizationMirrorBody},
        robot::{invalid_robot, robot},
        schedule,
        secrets::secrets,
    },
    trust_root,
};

/// Seconds that one tag may take, unless the body says otherwise, as in Quay.
const DEFAULT_TIMEOUT: u64 = 300;

/// `POST organization/{orgname}/mirror`.
pub(crate) async fn create(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let unchecked = body::parse_new(&body)?;
    let organization = find_organization(api, name).await?.name;
    let robot = robot(api, call, &organization, unchecked.robot_username()).await?;
    let body = unchecked.check(&api.guard, None)?;
    body.proxies.refuse_masked()?;
    trust_root::find::expect(api, &body.policy).await?;
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
        Err(CreateOrganizationMirrorError::NoRobot) => return Err(invalid_robot(name)),
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

fn missing() -> ApiError {
    ApiError::InvalidRequest("a required property is missing".into())
}

fn not_empty() -> ApiError {
    let why = "Cannot create organization mirror: the organization already contains repositories. Organization mirroring \
               requires an empty organization.";
    ApiError::InvalidRequest(why.into())
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
