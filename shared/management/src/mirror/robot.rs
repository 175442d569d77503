//! The robot of a mirror.

use moorage_domain::{
    ExternalReference, RepositoryName, RobotName,
    mirror::{MirrorConfig, RegistryConfig},
    preview::PreviewSource,
};
use moorage_state::Role;

use crate::{
    api::Api,
    http::{call::Call, error::ApiError},
    robot::find::{named_robot, unknown_robot},
};

/// What is told who is an admin of a repository, and not of its namespace.
const NOT_THEIRS: &str = "Only admins of the namespace let a mirror log in at its registry as the namespace: name a robot without an \
                          external registry, and no credentials, or have one of them do this.";

/// The robot of a mirror: it exists, and belongs to the repository's namespace.
pub(crate) async fn robot(
    api: &Api,
    call: &Call,
    repository: &RepositoryName,
    username: Option<&str>,
) -> Result<RobotName, ApiError> {
    let name: RobotName = username.unwrap_or_default().parse().map_err(|_| unknown_robot())?;
    named_robot(api, call, &repository.namespace(), &name).await?.ok_or_else(unknown_robot)?;
    if name.namespace() != repository.namespace() {
        return Err(ApiError::BrokenRule("Invalid robot".into()));
    }
    Ok(name)
}

/// The role that a mirror's robot still needs: it must be allowed to write.
pub(crate) async fn grant(api: &Api, repository: &RepositoryName, robot: &RobotName) -> Result<Option<Role>, ApiError> {
    let robot = api.table.robot(robot).await?.ok_or_else(unknown_robot)?;
    let role = api.table.role(repository, &robot).await?;
    Ok(role.is_none_or(|role| role < Role::Write).then_some(Role::Write))
}

/// Where a mirror copies from, by which way, and who may stand in for a user name that it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upstream<'a> {
    pub(crate) reference: &'a ExternalReference,
    pub(crate) username: Option<&'a str>,
    pub(crate) config: &'a RegistryConfig,
    pub(crate) robot: Option<&'a RobotName>,
}

impl<'a> Upstream<'a> {
    pub(crate) fn of(config: &'a MirrorConfig) -> Self {
        Self {
            reference: &config.external_reference,
            username: config.external_registry_username.as_deref(),
            config: &config.external_registry_config,
            robot: Some(&config.robot),
        }
    }

    pub(crate) fn of_preview(source: &'a PreviewSource) -> Self {
        Self {
            reference: &source.external_reference,
            username: source.external_registry_username.as_deref(),
            config: &source.external_registry_config,
            robot: source.robot.as_ref(),
        }
    }

    /// Whether the namespace's login at a registry is a part of it, be it a robot's or a cloud's. It does not matter whether that
    /// is for this very registry, or the mirror has a user name of its own: both change later, and without another look.
    fn has_login(self, of_robot: bool) -> bool {
        of_robot || !matches!(self.config.cloud(), Ok(None))
    }
}

/// Fails if a mirror is to log in as its namespace in another way than `before`, and the caller is not an admin of that: a role
/// on one repository is none on what the namespace may read elsewhere.
pub(crate) async fn require_login(
    api: &Api,
    call: &Call,
    repository: &RepositoryName,
    before: Option<Upstream<'_>>,
    after: Upstream<'_>,
) -> Result<(), ApiError> {
    if before == Some(after) || call.caller.role_in(&repository.namespace()) == Some(Role::Admin) {
        return Ok(());
    }
    let robot = match after.robot {
        Some(name) => api.table.robot(name).await?,
        None => None,
    };
    let of_robot = robot.is_some_and(|robot| robot.external_registry.is_some());
    if after.has_login(of_robot) { Err(ApiError::NotAllowed(NOT_THEIRS)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_mirror_logs_in_by_as_its_namespace() {
        let reference: ExternalReference = "quay.io/acme/app".parse().unwrap();
        let (bot, other): (RobotName, RobotName) = ("acme+bot".parse().unwrap(), "acme+other".parse().unwrap());
        let config = |value: serde_json::Value| serde_json::from_value::<RegistryConfig>(value).unwrap();
        let (plain, cloud) = (config(json!({})), config(json!({"credentials": {"type": "ecr"}})));
        let (none, broken) = (config(json!({"credentials": null})), config(json!({"credentials": {"type": "x"}})));
        let of = |config| Upstream { reference: &reference, username: None, config, robot: Some(&bot) };
        for (config, of_robot, has_login) in [
            (&plain, false, false),
            (&none, false, false),
            (&plain, true, true),
            (&cloud, false, true),
            // What cannot be read is nobody's but the admins' to keep.
            (&broken, false, true),
        ] {
            assert_eq!(of(config).has_login(of_robot), has_login, "{config:?} {of_robot}");
        }
        // Each of these may make another login of it.
        let realms = config(json!({"token_realms": ["auth.example.com"]}));
        let elsewhere: ExternalReference = "quay.io/acme/secret".parse().unwrap();
        let before = of(&plain);
        for after in [
            of(&realms),
            Upstream { robot: Some(&other), ..before },
            Upstream { reference: &elsewhere, ..before },
            Upstream { username: Some("u"), ..before },
        ] {
            assert_ne!(before, after);
        }
    }
}
