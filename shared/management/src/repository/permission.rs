//! The roles of robots and of people on a repository.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{RepositoryName, RobotName, TeamName, UserName, usage_log::LogKind};
use moorage_state::{GrantUserError, Repository, Role, StateError, TeamRole, User, now};
use serde_json::{Map, Value, json};

use crate::{
    access::role::parse_role,
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, error::ApiError, field::Fields},
    repository::find::find_repository,
    robot::find::named_robot,
    usage_log::write::object,
};

/// How many people are looked up at once, for a list of them.
const LOOKS: usize = 16;
/// Quay's words where there is no role.
const NO_ROLE: &str = "User does not have permission for repo.";

/// Whom a path names: a robot's name has a `+`, and a person's never.
enum Named {
    Robot(RobotName),
    User(UserName),
}

impl Named {
    fn parse(name: &str) -> Option<Self> {
        name.parse().map(Self::Robot).ok().or_else(|| name.parse().map(Self::User).ok())
    }
}

/// `GET …/permissions/user/`.
pub(crate) async fn list(api: &Api, name: &RepositoryName) -> Result<Answer, ApiError> {
    let on = find_repository(api, name).await?;
    let robots = api.table.roles(name).await?;
    let users = api.table.user_roles(&on).await?;
    let mut permissions: Map<_, _> =
        robots.iter().map(|(robot, role)| (robot.to_string(), view(robot, *role))).collect();
    let entry = async |(user, role): (UserName, Role)| -> Result<_, ApiError> {
        let is_member = is_member(api, &on, &user).await?;
        Ok((user.to_string(), user_view(&user, role, is_member)))
    };
    let entries: Vec<_> = stream::iter(users).map(entry).buffered(LOOKS).try_collect().await?;
    permissions.extend(entries);
    Ok(Answer::ok(json!({ "permissions": permissions })))
}

/// `GET …/permissions/user/{username}`.
pub(crate) async fn get(api: &Api, name: &RepositoryName, user: &str) -> Result<Answer, ApiError> {
    let on = find_repository(api, name).await?;
    let none = || ApiError::BrokenRule(NO_ROLE.into());
    match Named::parse(user).ok_or_else(none)? {
        Named::Robot(robot) => {
            let robot = api.table.robot(&robot).await?.ok_or_else(none)?;
            let role = api.table.role(name, &robot).await?.ok_or_else(none)?;
            Ok(Answer::ok(view(&robot.name, role)))
        }
        Named::User(user) => {
            let user = api.table.user(&user).await?.ok_or_else(none)?;
            let role = api.table.user_role(&on, &user).await?.ok_or_else(none)?;
            let is_member = !teams(api, &on, &user).await?.is_empty();
            Ok(Answer::ok(user_view(&user.name, role, is_member)))
        }
    }
}

/// `GET …/permissions/user/{username}/transitive`: somebody's own role, and those of their teams.
pub(crate) async fn transitive(api: &Api, name: &RepositoryName, user: &str) -> Result<Answer, ApiError> {
    let on = find_repository(api, name).await?;
    let (own, teams, admin) = match Named::parse(user).ok_or(ApiError::NotFound)? {
        Named::Robot(robot) => {
            let robot = api.table.robot(&robot).await?.ok_or(ApiError::NotFound)?;
            // A team of the same name in another organization is another one.
            let is_ours = robot.name.namespace() == name.namespace();
            let own = api.table.role(name, &robot).await?;
            (own, if is_ours { robot.teams } else { BTreeSet::default() }, None)
        }
        Named::User(user) => {
            let user = api.table.user(&user).await?.ok_or(ApiError::NotFound)?;
            let teams = teams(api, &on, &user).await?;
            let admin = teams.iter().any(|(_, role)| *role == TeamRole::Admin).then_some(Role::Admin);
            (api.table.user_role(&on, &user).await?, teams.into_iter().map(|(team, _)| team).collect(), admin)
        }
    };
    let of_teams = if teams.is_empty() { Vec::new() } else { api.table.team_roles(name).await? };
    let of_teams = of_teams.into_iter().filter(|(team, _)| teams.contains(team)).map(|(_, role)| role);
    let roles = own.into_iter().chain(of_teams).chain(admin).map(|role| json!({"role": role.as_str()}));
    let roles: Vec<_> = roles.collect();
    if roles.is_empty() {
        return Err(ApiError::NotFound);
    }
    Ok(Answer::ok(json!({ "permissions": roles })))
}

/// `PUT …/permissions/user/{username}`.
pub(crate) async fn change(api: &Api, name: &RepositoryName, user: &str, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let role = parse_role(Fields(&body))?;
    let on = find_repository(api, name).await?;
    let unknown = || ApiError::InvalidRequest(format!("Invalid username: {user:.100}"));
    let (granted, view) = match Named::parse(user).ok_or_else(unknown)? {
        Named::Robot(robot) => {
            let present = named_robot(api, call, &name.namespace(), &robot).await?.ok_or_else(unknown)?;
            if robot.namespace() != name.namespace() {
                let detail = format!("Cannot add robot {robot} under namespace {}", name.namespace());
                return Err(ApiError::InvalidRequest(detail));
            }
            (api.table.grant(name, &present, role).await, view(&robot, role))
        }
        Named::User(user) => {
            let present = api.table.user(&user).await?.ok_or_else(unknown)?;
            let is_member = !teams(api, &on, &present).await?.is_empty();
            let granted = match api.table.grant_user(&on, &present, role).await {
                Err(GrantUserError::State(error)) => Err(error),
                result => Ok(result?),
            };
            (granted, user_view(&user, role, is_member))
        }
    };
    match granted {
        Err(StateError::NotFound) => return Err(unknown()),
        result => result?,
    }
    let metadata = object([("username", user.into()), ("role", role.as_str().into())]);
    api.log(call, name, vec![(LogKind::ChangeRepoPermission, metadata)]).await;
    Ok(Answer::ok(view))
}

/// `DELETE …/permissions/user/{username}`.
pub(crate) async fn delete(api: &Api, name: &RepositoryName, user: &str, call: &Call) -> Result<Answer, ApiError> {
    find_repository(api, name).await?;
    let none = || ApiError::InvalidRequest(NO_ROLE.into());
    let revoked = match Named::parse(user).ok_or_else(none)? {
        Named::Robot(robot) => api.table.revoke(name, &robot).await,
        Named::User(user) => api.table.revoke_user(name, &user).await,
    };
    match revoked {
        Err(StateError::NotFound) => return Err(none()),
        result => result?,
    }
    let metadata = object([("username", user.into())]);
    api.log(call, name, vec![(LogKind::DeleteRepoPermission, metadata)]).await;
    Ok(Answer::NoContent)
}

/// The teams of the repository's organization that somebody is in, as a member or by a group.
async fn teams(api: &Api, on: &Repository, user: &User) -> Result<Vec<(TeamName, TeamRole)>, ApiError> {
    let bound = api.bound_teams.get(&api.table, now()).await?;
    let Some(identity) = user.identity(&bound) else { return Ok(Vec::new()) };
    let teams = api.table.person_teams(&identity, Some(&on.repository.namespace())).await?;
    Ok(teams.into_iter().map(|team| (team.team, team.role)).collect())
}

async fn is_member(api: &Api, on: &Repository, user: &UserName) -> Result<bool, ApiError> {
    match api.table.user(user).await? {
        Some(user) => Ok(!teams(api, on, &user).await?.is_empty()),
        None => Ok(false),
    }
}

fn view(robot: &RobotName, role: Role) -> Value {
    let avatar = avatar(robot.as_str(), "robot");
    json!({"role": role.as_str(), "name": robot, "is_robot": true, "avatar": avatar, "is_org_member": true})
}

fn user_view(user: &UserName, role: Role, is_member: bool) -> Value {
    let avatar = avatar(user.as_str(), "user");
    json!({"role": role.as_str(), "name": user, "is_robot": false, "avatar": avatar, "is_org_member": is_member})
}
