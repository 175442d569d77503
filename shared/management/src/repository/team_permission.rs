//! The roles of teams on a repository.

use moorage_domain::{RepositoryName, TeamName, usage_log::LogKind};
use moorage_state::{Role, StateError};
use serde_json::{Map, Value, json};

use crate::{
    access::role::parse_role,
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, error::ApiError, field::Fields},
    repository::find::find_repository,
    usage_log::write::object,
};

/// `GET …/permissions/team/`.
pub(crate) async fn list(api: &Api, name: &RepositoryName) -> Result<Answer, ApiError> {
    find_repository(api, name).await?;
    let roles = api.table.team_roles(name).await?;
    // A role may outlive its team for a moment, and is void then.
    let teams = api.table.teams(&name.namespace()).await?;
    let roles = roles.iter().filter(|(team, _)| teams.iter().any(|known| known.name == *team));
    let permissions: Map<_, _> = roles.map(|(team, role)| (team.to_string(), view(team, *role))).collect();
    Ok(Answer::ok(json!({ "permissions": permissions })))
}

/// `GET …/permissions/team/{teamname}`.
pub(crate) async fn get(api: &Api, name: &RepositoryName, team: &str) -> Result<Answer, ApiError> {
    find_repository(api, name).await?;
    let none = || ApiError::BrokenRule("Team does not have permission for repo.".into());
    let team = find(api, name, team).await?.ok_or_else(none)?;
    let role = api.table.team_role(name, &team).await?.ok_or_else(none)?;
    Ok(Answer::ok(view(&team, role)))
}

/// `PUT …/permissions/team/{teamname}`.
pub(crate) async fn change(api: &Api, name: &RepositoryName, team: &str, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let role = parse_role(Fields(&body))?;
    let on = find_repository(api, name).await?;
    let unknown = || ApiError::InvalidRequest(format!("Invalid team: {team:.100}"));
    let team = find(api, name, team).await?.ok_or_else(unknown)?;
    match api.table.grant_team(&on, &team, role).await {
        Err(StateError::NotFound) => return Err(unknown()),
        result => result?,
    }
    let metadata = object([("team", team.as_str().into()), ("role", role.as_str().into())]);
    api.log(call, name, vec![(LogKind::ChangeRepoPermission, metadata)]).await;
    Ok(Answer::ok(view(&team, role)))
}

/// `DELETE …/permissions/team/{teamname}`.
pub(crate) async fn delete(api: &Api, name: &RepositoryName, team: &str, call: &Call) -> Result<Answer, ApiError> {
    find_repository(api, name).await?;
    let none = || ApiError::InvalidRequest("Team does not have permission for repo.".into());
    let team: TeamName = team.parse().map_err(|_| none())?;
    match api.table.revoke_team(name, &team).await {
        Err(StateError::NotFound) => return Err(none()),
        result => result?,
    }
    let metadata = object([("team", team.as_str().into())]);
    api.log(call, name, vec![(LogKind::DeleteRepoPermission, metadata)]).await;
    Ok(Answer::NoContent)
}

async fn find(api: &Api, name: &RepositoryName, team: &str) -> Result<Option<TeamName>, ApiError> {
    let Ok(team) = team.parse() else { return Ok(None) };
    Ok(api.table.team(&name.namespace(), &team).await?.map(|team| team.name))
}

fn view(team: &TeamName, role: Role) -> Value {
    json!({"role": role.as_str(), "name": team, "avatar": avatar(team.as_str(), "team")})
}
