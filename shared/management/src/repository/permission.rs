//! The roles of robots on a repository.

use moorage_domain::{RepositoryName, RobotName, usage_log::LogKind};
use moorage_state::{Role, StateError};
use serde_json::{Map, Value, json};

use crate::{
    access::role::parse_role,
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, error::ApiError, field::Fields},
    repository::find::find_repository,
    robot::find::named_robot,
    usage_log::write::object,
};

/// Quay's words where there is no role.
const NO_ROLE: &str = "User does not have permission for repo.";

/// `GET …/permissions/user/`.
pub(crate) async fn list(api: &Api, name: &RepositoryName) -> Result<Answer, ApiError> {
    find_repository(api, name).await?;
    let roles = api.table.roles(name).await?;
    let permissions: Map<_, _> = roles.iter().map(|(robot, role)| (robot.to_string(), view(robot, *role))).collect();
    Ok(Answer::ok(json!({ "permissions": permissions })))
}

/// `GET …/permissions/user/{username}`.
pub(crate) async fn get(api: &Api, name: &RepositoryName, user: &str) -> Result<Answer, ApiError> {
    find_repository(api, name).await?;
    let none = || ApiError::BrokenRule(NO_ROLE.into());
    let robot: RobotName = user.parse().map_err(|_| none())?;
    let robot = api.table.robot(&robot).await?.ok_or_else(none)?;
    let role = api.table.role(name, &robot).await?.ok_or_else(none)?;
    Ok(Answer::ok(view(&robot.name, role)))
}

/// `GET …/permissions/user/{username}/transitive`: the robot's own role, and those of its teams.
pub(crate) async fn transitive(api: &Api, name: &RepositoryName, user: &str) -> Result<Answer, ApiError> {
    find_repository(api, name).await?;
    let robot: RobotName = user.parse().map_err(|_| ApiError::NotFound)?;
    let robot = api.table.robot(&robot).await?.ok_or(ApiError::NotFound)?;
    let own = api.table.role(name, &robot).await?;
    // A team of the same name in another organization is another one.
    let is_ours = robot.name.namespace() == name.namespace();
    let teams = if is_ours { api.table.team_roles(name).await? } else { Vec::new() };
    let teams = teams.into_iter().filter(|(team, _)| robot.teams.contains(team)).map(|(_, role)| role);
    let roles: Vec<_> = own.into_iter().chain(teams).map(|role| json!({"role": role.as_str()})).collect();
    if roles.is_empty() {
        return Err(ApiError::NotFound);
    }
    Ok(Answer::ok(json!({ "permissions": roles })))
}

/// `PUT …/permissions/user/{username}`.
pub(crate) async fn change(api: &Api, name: &RepositoryName, user: &str, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let role = parse_role(Fields(&body))?;
    find_repository(api, name).await?;
    let unknown = || ApiError::InvalidRequest(format!("Invalid username: {user:.100}"));
    let robot: RobotName = user.parse().map_err(|_| unknown())?;
    if robot.namespace() != name.namespace() {
        named_robot(api, call, &robot).await?.ok_or_else(unknown)?;
        let detail = format!("Cannot add robot {robot} under namespace {}", name.namespace());
        return Err(ApiError::InvalidRequest(detail));
    }
    let present = api.table.robot(&robot).await?.ok_or_else(unknown)?;
    match api.table.grant(name, &present, role).await {
        Err(StateError::NotFound) => return Err(unknown()),
        result => result?,
    }
    let metadata = object([("username", robot.as_str().into()), ("role", role.as_str().into())]);
    api.log(call, name, vec![(LogKind::ChangeRepoPermission, metadata)]).await;
    Ok(Answer::ok(view(&robot, role)))
}

/// `DELETE …/permissions/user/{username}`.
pub(crate) async fn delete(api: &Api, name: &RepositoryName, user: &str, call: &Call) -> Result<Answer, ApiError> {
    find_repository(api, name).await?;
    let none = || ApiError::InvalidRequest(NO_ROLE.into());
    let robot: RobotName = user.parse().map_err(|_| none())?;
    match api.table.revoke(name, &robot).await {
        Err(StateError::NotFound) => return Err(none()),
        result => result?,
    }
    let metadata = object([("username", robot.as_str().into())]);
    api.log(call, name, vec![(LogKind::DeleteRepoPermission, metadata)]).await;
    Ok(Answer::NoContent)
}

fn view(robot: &RobotName, role: Role) -> Value {
    let avatar = avatar(robot.as_str(), "robot");
    json!({"role": role.as_str(), "name": robot, "is_robot": true, "avatar": avatar, "is_org_member": true})
}
