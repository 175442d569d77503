//! Teams. They are given roles on repositories, which count for the robots and the people that are their members.

use futures_util::future::try_join4;
use moorage_domain::{Namespace, TeamName, usage_log::LogKind};
use moorage_state::{OWNERS, Organization, StateError, Team, TeamRole};
use serde_json::{Map, Value, json};

use crate::{
    access::caller::Caller,
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
    let (was_role, was_description) =
        before.map_or_else(|| (role, String::new()), |team| (team.role, team.description));
    let description = description.map_or_else(|| was_description.clone(), str::to_owned);
    let name: Value = name.as_str().into();
    if is_new {
        api.log_namespace(call, &organization, LogKind::OrgCreateTeam, [("team", name.clone())]).await;
    } else {
        if role != was_role {
            let metadata = [("team", name.clone()), ("role", word(role).into())];
            api.log_namespace(call, &organization, LogKind::OrgSetTeamRole, metadata).await;
        }
        if description != was_description {
            let metadata = [("team", name.clone()), ("description", description.clone().into())];
            api.log_namespace(call, &organization, LogKind::OrgSetTeamDescription, metadata).await;
        }
    }
    Ok(Answer::ok(view(&name, &description, role, is_new)))
}

/// Quay's view of a team.
pub(crate) fn view(name: &Value, description: &str, role: TeamRole, is_new: bool) -> Value {
    json!({
        "name": name, "description": description, "can_view": true, "role": word(role),
        "avatar": avatar(name.as_str().unwrap_or_default(), "team"), "new_team": is_new,
    })
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
pub(crate) async fn find(api: &Api, path: &Parameters) -> Result<(Organization, Team), ApiError> {
    let organization = find_organization(api, path.get("orgname")).await?;
    let name: TeamName = path.get("teamname").parse().map_err(|_| ApiError::NotFound)?;
    let team = api.table.team(&organization.name, &name).await?.ok_or(ApiError::NotFound)?;
    Ok((organization, team))
}

/// Quay's view of the teams of an organization that the caller sees: their names, and an entry of each.
pub(crate) async fn all(
    api: &Api,
    organization: &Namespace,
    caller: &Caller,
) -> Result<(Vec<TeamName>, Map<String, Value>), ApiError> {
    let table = &api.table;
    let reads = try_join4(
        table.teams(organization),
        table.memberships(organization),
        table.user_memberships(organization),
        table.all_team_grants(organization),
    );
    let (mut teams, mut members, people, grants) = Box::pin(reads).await?;
    teams.retain(|team| caller.sees_team(organization, &team.name));
    members.extend(people.into_iter().map(|(team, _)| team));
    let entry = |team: &Team| {
        let count = |of: &[TeamName]| of.iter().filter(|name| **name == team.name).count();
        json!({
            "name": team.name, "description": team.description, "role": word(team.role), "can_view": true,
            "avatar": avatar(team.name.as_str(), "team"), "repo_count": count(&grants),
            "member_count": count(&members), "is_synced": team.group.is_some(),
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
