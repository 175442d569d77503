//! Teams that are bound to a group of the identity provider: whoever is in it is in the team, from their next sign-in on.

use moorage_domain::{GroupName, usage_log::LogKind};
use moorage_state::{BindTeamError, MAX_BOUND_TEAMS, Role, StateError, Team};
use serde_json::Value;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, endpoint::Parameters, error::ApiError, field::Fields},
    organization::team,
};

/// `POST organization/{orgname}/team/{teamname}/syncing`.
pub(crate) async fn bind(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    require(path, call)?;
    if api.provider.is_none() {
        return Err(ApiError::InvalidRequest("No identity provider is set (OidcIssuer)".into()));
    }
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["group_name"])?;
    let group = fields.string("group_name")?.unwrap_or_default();
    let group: GroupName =
        group.parse().map_err(|_| ApiError::InvalidRequest("group_name cannot be a name of a group".into()))?;
    let (organization, team) = team::find(api, path).await?;
    match api.table.bind_team(&organization.name, organization.id, &team, &group).await {
        Ok(()) => {}
        Err(BindTeamError::NoTeam) => return Err(ApiError::NotFound),
        Err(BindTeamError::TooMany) => {
            return Err(ApiError::InvalidRequest(format!("{MAX_BOUND_TEAMS} teams are bound to groups already")));
        }
        Err(BindTeamError::State(error)) => return Err(error.into()),
    }
    let metadata = [("team", team.name.as_str().into()), ("group", group.as_str().into())];
    api.log_namespace(call, &organization.name, LogKind::EnableTeamSync, metadata).await;
    Ok(view(&team))
}

/// `DELETE organization/{orgname}/team/{teamname}/syncing`.
pub(crate) async fn unbind(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    require(path, call)?;
    let (organization, team) = team::find(api, path).await?;
    match api.table.unbind_team(&organization.name, &team.name).await {
        // As in Quay it is no failure that there was nothing to end.
        Err(StateError::NotFound) => return Ok(view(&team)),
        result => result?,
    }
    let metadata = [("team", team.name.as_str().into())];
    api.log_namespace(call, &organization.name, LogKind::DisableTeamSync, metadata).await;
    Ok(view(&team))
}

/// Whoever binds a team lets people in whom nobody of the organization has named: a superuser, who is an admin of it, too.
fn require(path: &Parameters, call: &Call) -> Result<(), ApiError> {
    call.caller.require_superuser()?;
    call.caller.require(&path.namespace()?, Role::Admin)
}

fn view(team: &Team) -> Answer {
    Answer::ok(team::view(&Value::from(team.name.as_str()), &team.description, team.role, false))
}
