//! Who may do what with a repository. Only robots have roles so far: the admin token may do everything, and there are
//! no teams.

use moorage_domain::{RepositoryName, RobotName, usage_log::LogKind};
use moorage_state::Role;
use serde_json::{Map, Value, json};

use crate::{
    answer::Answer,
    api::{Api, Call},
    error::ApiError,
    field::Fields,
    organization::avatar,
    repository,
};

/// `GET …/permissions/team/`.
pub(crate) async fn teams(api: &Api, name: &RepositoryName) -> Result<Answer, ApiError> {
    repository::find(api, name).await?;
    Ok(Answer::ok(json!({"permissions": {}})))
}

/// `GET …/permissions/user/`.
pub(crate) async fn list(api: &Api, name: &RepositoryName) -> Result<Answer, ApiError> {
    repository::find(api, name).await?;
    let roles = api.table.roles(name).await?;
    let permissions: Map<_, _> = roles.iter().map(|(robot, role)| (robot.to_string(), view(robot, *role))).collect();
    Ok(Answer::ok(json!({ "permissions": permissions })))
}

/// `GET …/permissions/user/{user}`.
pub(crate) async fn get(api: &Api, name: &RepositoryName, user: &str) -> Result<Answer, ApiError> {
    repository::find(api, name).await?;
    let none = || ApiError::BrokenRule("User does not have permission for repo.".into());
    let robot: RobotName = user.parse().map_err(|_| none())?;
    let role = api.table.role(name, &robot).await?.ok_or_else(none)?;
    Ok(Answer::ok(view(&robot, role)))
}

/// `PUT …/permissions/user/{user}`.
pub(crate) async fn change(api: &Api, name: &RepositoryName, user: &str, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let role = role(Fields(&body))?;
    repository::find(api, name).await?;
    let unknown = || ApiError::InvalidRequest(format!("Invalid username: {user:.100}"));
    let robot: RobotName = user.parse().map_err(|_| unknown())?;
    api.table.robot(&robot).await?.ok_or_else(unknown)?;
    if robot.namespace() != name.namespace() {
        let detail = format!("Cannot add robot {robot} under namespace {}", name.namespace());
        return Err(ApiError::InvalidRequest(detail));
    }
    api.table.grant(name, &robot, role).await?;
    let metadata = [("username", robot.as_str().into()), ("role", word(role).into())];
    let metadata = metadata.into_iter().map(|(key, value): (_, Value)| (key.to_owned(), value)).collect();
    api.log(call, name, vec![(LogKind::ChangeRepoPermission, metadata)]).await;
    Ok(Answer::ok(view(&robot, role)))
}

fn role(fields: Fields<'_>) -> Result<Role, ApiError> {
    fields.require(&["role"])?;
    let roles = [Role::Read, Role::Write, Role::Admin];
    let sent = fields.one_of("role", &roles.map(word))?;
    roles.into_iter().find(|role| Some(word(*role)) == sent).ok_or(ApiError::NotFound)
}

/// The name on the wire.
fn word(role: Role) -> &'static str {
    match role {
        Role::Read => "read",
        Role::Write => "write",
        Role::Admin => "admin",
    }
}

fn view(robot: &RobotName, role: Role) -> Value {
    let avatar = avatar(robot.as_str(), "robot");
    json!({"role": word(role), "name": robot, "is_robot": true, "avatar": avatar, "is_org_member": true})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_quays() {
        let sent = |body: &Value| role(Fields(body.as_object().unwrap())).map_err(|error| error.to_string());
        for (name, role) in [("read", Role::Read), ("write", Role::Write), ("admin", Role::Admin)] {
            assert_eq!(sent(&json!({"role": name})), Ok(role));
        }
        assert_eq!(sent(&json!({})), Err("'role' is a required property".into()));
        let message = "'owner' is not one of ['read', 'write', 'admin']";
        assert_eq!(sent(&json!({"role": "owner"})), Err(message.into()));
    }
}
