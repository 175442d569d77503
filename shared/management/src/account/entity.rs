//! Search of users, robots, teams and organizations by the beginning of their names.

use std::collections::BTreeSet;

use moorage_domain::{Namespace, RobotName, TeamName, UserName};
use moorage_state::{ADMIN, Role, TeamRole};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, error::ApiError},
    organization::find::find_organization,
};

/// The most users, robots and teams that are found, of each, as in Quay.
const MOST: usize = 10;

/// `GET entities/{prefix}`.
pub(crate) async fn search(api: &Api, prefix: &str, call: &Call) -> Result<Answer, ApiError> {
    let prefix = prefix.to_lowercase();
    let mut results = Vec::new();
    let namespace = call.query("namespace").unwrap_or_default();
    let found = match find_organization(api, namespace).await {
        Ok(organization) => Some(organization.name),
        Err(ApiError::NotFound) => None,
        Err(error) => return Err(error),
    };
    let own = found.clone().or_else(|| namespace.parse().ok().filter(|_| namespace == ADMIN));
    let has_place = |name: &&Namespace, least| call.caller.has_place_in(name, least);
    let member_of = found.as_ref().filter(|name| has_place(name, TeamRole::Member));
    if let Some(name) = member_of.filter(|_| call.flag("includeTeams", false)) {
        let teams = api.table.teams(name).await?.into_iter().filter(|team| call.caller.sees_team(name, &team.name));
        let teams = teams.filter(|team| team.name.as_str().starts_with(&prefix)).take(MOST);
        results.extend(teams.map(|it| team(&it.name)));
    }
    if ADMIN.starts_with(&prefix) {
        results.push(json!({"name": ADMIN, "kind": "user", "is_robot": false, "avatar": avatar(ADMIN, "user")}));
    }
    results.extend(users(api, &prefix, member_of, call).await?);
    if let Some(name) = own.as_ref().filter(|name| has_place(name, TeamRole::Creator)) {
        let robots = api.table.robots(name).await?;
        let robots = robots.iter().filter(|robot| robot.name.as_str().starts_with(&prefix)).take(MOST);
        results.extend(robots.map(|it| robot(&it.name)));
    }
    if let Some(name) = found {
        let is_admin = call.caller.role_in(&name) == Some(Role::Admin);
        if is_admin && call.flag("includeOrgs", false) && name.as_str().starts_with(&prefix) {
            let avatar = avatar(name.as_str(), "org");
            results.push(json!({"name": name, "kind": "org", "is_org_member": true, "avatar": avatar}));
        }
    }
    Ok(Answer::ok(json!({ "results": results })))
}

/// The users that somebody may find. The deployment's superusers find all; members of an organization those of its teams;
/// and its admins also anybody whose name they write in full, so that they can be let in: nobody else goes through the list of
/// a company by the beginnings of names.
async fn users(api: &Api, prefix: &str, member_of: Option<&Namespace>, call: &Call) -> Result<Vec<Value>, ApiError> {
    let members: BTreeSet<UserName> = match member_of {
        Some(name) => api.table.user_memberships(name).await?.into_iter().map(|(_, user)| user).collect(),
        None => BTreeSet::new(),
    };
    let mut found: BTreeSet<UserName> =
        members.iter().filter(|user| user.as_str().starts_with(prefix)).take(MOST).cloned().collect();
    if call.caller.is_superuser() {
        let most = i32::try_from(MOST).unwrap_or(i32::MAX);
        found.extend(api.table.user_names(prefix, most).await?);
    } else if member_of.is_some_and(|name| call.caller.role_in(name) == Some(Role::Admin))
        && let Ok(name) = prefix.parse::<UserName>()
        && !found.contains(&name)
    {
        found.extend(api.table.user(&name).await?.map(|user| user.name));
    }
    Ok(found.into_iter().take(MOST).map(|name| user(&name, member_of.map(|_| members.contains(&name)))).collect())
}

fn user(name: &UserName, is_member: Option<bool>) -> Value {
    let mut view = json!({"name": name, "kind": "user", "is_robot": false, "avatar": avatar(name.as_str(), "user")});
    if let Some(is_member) = is_member {
        view["is_org_member"] = is_member.into();
    }
    view
}

fn team(name: &TeamName) -> Value {
    json!({"name": name, "kind": "team", "is_org_member": true, "avatar": avatar(name.as_str(), "team")})
}

fn robot(name: &RobotName) -> Value {
    let avatar = avatar(name.as_str(), "robot");
    json!({"name": name, "kind": "user", "is_robot": true, "is_org_member": true, "avatar": avatar})
}
