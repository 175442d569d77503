//! The members of teams: robots of the organization.

use moorage_domain::{Namespace, RobotName, usage_log::LogKind};
use moorage_state::{AddMemberError, MAX_TEAMS, Robot, Role, StateError, Team};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, endpoint::Parameters, error::ApiError},
    organization::team,
    repository::grants,
    robot::find::named_robot,
};

/// `GET organization/{orgname}/team/{teamname}/members`.
pub(crate) async fn list(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let (organization, team) = team::find(api, path).await?;
    let can_edit = call.caller.require(&organization, Role::Admin).is_ok();
    let members: Vec<_> = api.table.members(&organization, &team.name).await?.iter().map(view).collect();
    Ok(Answer::ok(json!({"name": team.name, "members": members, "can_edit": can_edit})))
}

/// `PUT organization/{orgname}/team/{teamname}/members/{membername}`.
pub(crate) async fn add(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let (organization, team) = team::find(api, path).await?;
    let unknown = || ApiError::InvalidRequest("Unknown user".into());
    let robot = find_member(api, path, call).await?.ok_or_else(unknown)?;
    if robot.name.namespace() != organization {
        let message = "Cannot add the specified robot to this team, as it is not a member of the organization";
        return Err(ApiError::BrokenRule(message.into()));
    }
    let added = api.table.add_member(&team.name, &robot).await;
    let robot = robot.name;
    match added {
        Ok(()) => {}
        Err(AddMemberError::IsMember) => {
            let message = format!("User {robot} is already a member of team {}", team.name);
            return Err(ApiError::BrokenRule(message));
        }
        Err(AddMemberError::NoTeam) => return Err(ApiError::NotFound),
        Err(AddMemberError::NoRobot) => return Err(unknown()),
        Err(AddMemberError::TooMany) => {
            return Err(ApiError::InvalidRequest(format!("{robot} is in {MAX_TEAMS} teams already")));
        }
        Err(AddMemberError::State(error)) => return Err(error.into()),
    }
    log(api, call, &organization, LogKind::OrgAddTeamMember, &robot, &team).await;
    Ok(Answer::ok(view(&robot)))
}

/// `DELETE organization/{orgname}/team/{teamname}/members/{membername}`.
pub(crate) async fn remove(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let (organization, team) = team::find(api, path).await?;
    let robot = find_member(api, path, call).await?.ok_or(ApiError::NotFound)?.name;
    let no_member = || ApiError::BrokenRule(format!("User {robot} does not belong to team {}", team.name));
    if robot.namespace() != organization {
        return Err(no_member());
    }
    match api.table.remove_member(&team.name, &robot).await {
        Err(StateError::NotFound) => return Err(no_member()),
        result => result?,
    }
    log(api, call, &organization, LogKind::OrgRemoveTeamMember, &robot, &team).await;
    Ok(Answer::NoContent)
}

/// `GET organization/{orgname}/team/{teamname}/permissions`.
pub(crate) async fn permissions(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    let (organization, team) = team::find(api, path).await?;
    grants::view(api, api.table.team_grants(&organization, &team.name).await?).await
}

async fn find_member(api: &Api, path: &Parameters, call: &Call) -> Result<Option<Robot>, ApiError> {
    let Ok(name) = path.get("membername").parse() else { return Ok(None) };
    named_robot(api, call, &name).await
}

async fn log(api: &Api, call: &Call, organization: &Namespace, kind: LogKind, robot: &RobotName, team: &Team) {
    let metadata = [("member", robot.as_str().into()), ("team", team.name.as_str().into())];
    api.log_namespace(call, organization, kind, metadata).await;
}

fn view(robot: &RobotName) -> Value {
    let avatar = avatar(robot.as_str(), "robot");
    json!({"name": robot, "kind": "user", "is_robot": true, "avatar": avatar, "invited": false})
}
