//! Teams. They are given roles on repositories, which count for the robots that are their members.

use futures_util::future::try_join3;
use moorage_domain::{Namespace, TeamName, usage_log::LogKind};
use moorage_state::{OWNERS, StateError, Team, TeamRole};
use serde_json::{Map, Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, endpoint::Parameters, error::ApiError, field::Fields},
    organization::find::find_organization,
};

/// The longest description: the team must fit the table's item.
const DESCRIPTION_LENGTH: usize = 16 * 1024;

/// `PUT organization/{orgname}/team/{teamname}`: creates or changes.
pub(crate) async fn put(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["role"])?;
    let role = fields.one_of("role", &["member", "creator", "admin"])?;
    let description = fields.string("description")?;
    if description.is_some_and(|text| text.len() > DESCRIPTION_LENGTH) {
        return Err(ApiError::InvalidRequest(format!("description is longer than {DESCRIPTION_LENGTH} bytes")));
    }
    let found = find_organization(api, path.get("orgname")).await?;
    let (organization, team) = (found.name, path.get("teamname"));
    let invalid = |_| ApiError::BrokenRule(format!("Invalid team name '{team:.100}'"));
    let name: TeamName = team.parse().map_err(invalid)?;
    let role = match role {
        Some("admin") => TeamRole::Admin,
        Some("creator") => TeamRole::Creator,
        _ => TeamRole::Member,
    };
    let before = api.table.put_team(&organization, found.id, &name, role, description).await?;
    let is_new = before.is_none();
    let was = before.unwrap_or_else(|| Team::new(name, role, ""));
    let team =
        Team { role, description: description.map_or_else(|| was.description.clone(), str::to_owned), ..was.clone() };
    let name: Value = team.name.as_str().into();
    if is_new {
        api.log_namespace(call, &organization, LogKind::OrgCreateTeam, [("team", name.clone())]).await;
    } else {
        if team.role != was.role {
            let metadata = [("team", name.clone()), ("role", word(team.role).into())];
            api.log_namespace(call, &organization, LogKind::OrgSetTeamRole, metadata).await;
        }
        if team.description != was.description {
            let metadata = [("team", name.clone()), ("description", team.description.clone().into())];
            api.log_namespace(call, &organization, LogKind::OrgSetTeamDescription, metadata).await;
        }
    }
    Ok(Answer::ok(json!({
        "name": team.name, "description": team.description, "can_view": true, "role": word(team.role),
        "avatar": avatar(team.name.as_str(), "team"), "new_team": is_new,
    })))
}

/// `DELETE organization/{orgname}/team/{teamname}`.
pub(crate) async fn delete(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let (organization, team) = (find_organization(api, path.get("orgname")).await?.name, path.get("teamname"));
    let unknown = || ApiError::BrokenRule(format!("Team '{team:.100}' is not a team in org '{organization}'"));
    let name: TeamName = team.parse().map_err(|_| unknown())?;
    if name.as_str() == OWNERS {
        let message = format!("Deleting team '{OWNERS}' would remove admin ability for organization '{organization}'");
        return Err(ApiError::BrokenRule(message));
    }
    match api.table.delete_team(&organization, &name).await {
        Err(StateError::NotFound) => return Err(unknown()),
        result => result?,
    }
    api.log_namespace(call, &organization, LogKind::OrgDeleteTeam, [("team", name.as_str().into())]).await;
    Ok(Answer::NoContent)
}

/// The team that a path is about, with its organization, or 404.
pub(crate) async fn find(api: &Api, path: &Parameters) -> Result<(Namespace, Team), ApiError> {
    let organization = find_organization(api, path.get("orgname")).await?.name;
    let name: TeamName = path.get("teamname").parse().map_err(|_| ApiError::NotFound)?;
    let team = api.table.team(&organization, &name).await?.ok_or(ApiError::NotFound)?;
    Ok((organization, team))
}

/// Quay's view of all teams of an organization: their names, and an entry of each.
pub(crate) async fn all(api: &Api, organization: &Namespace) -> Result<(Vec<TeamName>, Map<String, Value>), ApiError> {
    let table = &api.table;
    let reads =
        try_join3(table.teams(organization), table.memberships(organization), table.all_team_grants(organization));
    let (teams, members, grants) = Box::pin(reads).await?;
    let entry = |team: &Team| {
        let count = |of: &[TeamName]| of.iter().filter(|name| **name == team.name).count();
        json!({
            "name": team.name, "description": team.description, "role": word(team.role), "can_view": true,
            "avatar": avatar(team.name.as_str(), "team"), "repo_count": count(&grants),
            "member_count": count(&members), "is_synced": false,
        })
    };
    let entries = teams.iter().map(|team| (team.name.to_string(), entry(team))).collect();
    Ok((teams.into_iter().map(|team| team.name).collect(), entries))
}

/// The name on the wire.
fn word(role: TeamRole) -> &'static str {
    match role {
        TeamRole::Member => "member",
        TeamRole::Creator => "creator",
        TeamRole::Admin => "admin",
    }
}
