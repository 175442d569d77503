//! The robot of a mirror.

use moorage_domain::{RepositoryName, RobotName};
use moorage_state::Role;

use crate::{
    api::Api,
    http::{call::Call, error::ApiError},
    robot::find::{named_robot, unknown_robot},
};

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
