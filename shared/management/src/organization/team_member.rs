//! The members of teams: robots of the organization, and people.

use futures_util::future::try_join;
use moorage_domain::{Namespace, RobotName, TeamName, UserName, usage_log::LogKind};
use moorage_state::{
    AddMemberError, AddUserError, MAX_TEAMS, MAX_USER_TEAMS, MAX_USER_TEAMS_OF_ORGANIZATION, Organization, Role,
    StateError, Team,
};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, endpoint::Parameters, error::ApiError},
    organization::team,
    people::find::find_user,
    repository::grants,
    robot::find::named_robot,
};

/// Quay's words where a group of the provider says who is in a team.
const SYNCED: &str = "Cannot call this method on an auth-synced team";

/// `GET organization/{orgname}/team/{teamname}/members`.
pub(crate) async fn list(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let organization = path.namespace()?;
    let is_theirs =
        path.get("teamname").parse().is_ok_and(|name: TeamName| call.caller.sees_team(&organization, &name));
    // Whoever has a place in the organization, but not in this team, does not learn whether there is one.
    if !is_theirs && call.caller.person().is_some() {
        return Err(call.caller.refused());
    }
    let (Organization { name: organization, .. }, team) = team::find(api, path).await?;
    let can_edit = call.caller.require(&organization, Role::Admin).is_ok();
    let reads =
        try_join(api.table.members(&organization, &team.name), api.table.user_members(&organization, &team.name));
    let (robots, users) = Box::pin(reads).await?;
    let members: Vec<_> = users.iter().map(user_view).chain(robots.iter().map(view)).collect();
    let mut body = json!({"name": team.name, "members": members, "can_edit": can_edit});
    if let Some(provider) = api.provider.as_ref().filter(|_| call.caller.is_superuser()) {
        body["can_sync"] = json!({"service": "oidc", "issuer_domain": provider.host()});
    }
    if let Some(group) = &team.group {
        body["synced"] = json!({"service": "oidc"});
        if can_edit {
            body["synced"]["config"] = json!({"group_name": group});
        }
    }
    Ok(Answer::ok(body))
}

/// `PUT organization/{orgname}/team/{teamname}/members/{membername}`.
pub(crate) async fn add(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let (organization, team) = team::find(api, path).await?;
    match path.get("membername").parse() {
        Ok(robot) => add_robot(api, call, &organization.name, &team, &robot).await,
        Err(_) => add_user(api, call, &organization, &team, path.get("membername")).await,
    }
}

async fn add_robot(
    api: &Api,
    call: &Call,
    organization: &Namespace,
    team: &Team,
    robot: &RobotName,
) -> Result<Answer, ApiError> {
    let robot = named_robot(api, call, organization, robot).await?.ok_or_else(unknown)?;
    if robot.name.namespace() != *organization {
        let message = "Cannot add the specified robot to this team, as it is not a member of the organization";
        return Err(ApiError::BrokenRule(message.into()));
    }
    let added = api.table.add_member(&team.name, &robot).await;
    let robot = robot.name;
    match added {
        Ok(()) => {}
        Err(AddMemberError::IsMember) => return Err(is_member(robot.as_str(), team)),
        Err(AddMemberError::NoTeam) => return Err(ApiError::NotFound),
        Err(AddMemberError::NoRobot) => return Err(unknown()),
        Err(AddMemberError::TooMany) => {
            return Err(ApiError::InvalidRequest(format!("{robot} is in {MAX_TEAMS} teams already")));
        }
        Err(AddMemberError::State(error)) => return Err(error.into()),
    }
    log(api, call, organization, LogKind::OrgAddTeamMember, robot.as_str(), team).await;
    Ok(Answer::ok(view(&robot)))
}

async fn add_user(
    api: &Api,
    call: &Call,
    organization: &Organization,
    team: &Team,
    name: &str,
) -> Result<Answer, ApiError> {
    let name: UserName = name.parse().map_err(|_| unknown())?;
    let user = api.table.user(&name).await?.ok_or_else(unknown)?;
    match api.table.add_user_member(&organization.name, organization.id, team, &user).await {
        Ok(()) => {}
        Err(AddUserError::IsMember) => return Err(is_member(name.as_str(), team)),
        Err(AddUserError::NoTeam) => return Err(ApiError::NotFound),
        Err(AddUserError::NoUser) => return Err(unknown()),
        Err(AddUserError::TooMany) => {
            return Err(ApiError::InvalidRequest(format!("{name} is in {MAX_USER_TEAMS} teams already")));
        }
        Err(AddUserError::TooManyHere) => {
            let most = MAX_USER_TEAMS_OF_ORGANIZATION;
            return Err(ApiError::InvalidRequest(format!("{name} is in {most} teams of the organization already")));
        }
        Err(AddUserError::Synced) => return Err(ApiError::InvalidRequest(SYNCED.into())),
        Err(AddUserError::State(error)) => return Err(error.into()),
    }
    log(api, call, &organization.name, LogKind::OrgAddTeamMember, name.as_str(), team).await;
    Ok(Answer::ok(user_view(&name)))
}

/// `DELETE organization/{orgname}/team/{teamname}/members/{membername}`.
pub(crate) async fn remove(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let (organization, team) = team::find(api, path).await?;
    let organization = organization.name;
    let named = path.get("membername");
    let no_member = || ApiError::BrokenRule(format!("User {named} does not belong to team {}", team.name));
    let removed = if let Ok(robot) = named.parse::<RobotName>() {
        let robot = named_robot(api, call, &organization, &robot).await?.ok_or(ApiError::NotFound)?.name;
        if robot.namespace() != organization {
            return Err(no_member());
        }
        api.table.remove_member(&team.name, &robot).await
    } else {
        let user: UserName = named.parse().map_err(|_| ApiError::NotFound)?;
        if team.group.is_some() {
            return Err(ApiError::InvalidRequest(SYNCED.into()));
        }
        find_user(api, user.as_str()).await?;
        api.table.remove_user_member(&organization, &team.name, &user).await
    };
    match removed {
        Err(StateError::NotFound) => return Err(no_member()),
        result => result?,
    }
    log(api, call, &organization, LogKind::OrgRemoveTeamMember, named, &team).await;
    Ok(Answer::NoContent)
}

/// `GET organization/{orgname}/team/{teamname}/permissions`.
pub(crate) async fn permissions(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    let (organization, team) = team::find(api, path).await?;
    grants::view(api, api.table.team_grants(&organization.name, &team.name).await?).await
}

async fn log(api: &Api, call: &Call, organization: &Namespace, kind: LogKind, member: &str, team: &Team) {
    let metadata = [("member", member.into()), ("team", team.name.as_str().into())];
    api.log_namespace(call, organization, kind, metadata).await;
}

fn unknown() -> ApiError {
    ApiError::InvalidRequest("Unknown user".into())
}

fn is_member(name: &str, team: &Team) -> ApiError {
    ApiError::BrokenRule(format!("User {name} is already a member of team {}", team.name))
}

fn view(robot: &RobotName) -> Value {
    let avatar = avatar(robot.as_str(), "robot");
    json!({"name": robot, "kind": "user", "is_robot": true, "avatar": avatar, "invited": false})
}

fn user_view(user: &UserName) -> Value {
    let avatar = avatar(user.as_str(), "user");
    json!({"name": user, "kind": "user", "is_robot": false, "avatar": avatar, "invited": false})
}
