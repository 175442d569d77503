//! Search of users, robots, teams and organizations by the beginning of their names.

use moorage_domain::{RobotName, TeamName};
use moorage_state::{ADMIN, Role};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, error::ApiError},
    organization::find::find_organization,
};

/// The most robots and teams that are found, as in Quay.
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
    let is_member = found.as_ref().is_some_and(|name| call.caller.role_in(name).is_some());
    if let Some(name) = found.as_ref().filter(|_| is_member && call.flag("includeTeams", false)) {
        let teams = api.table.teams(name).await?;
        let teams = teams.iter().filter(|team| team.name.as_str().starts_with(&prefix)).take(MOST);
        results.extend(teams.map(|it| team(&it.name)));
    }
    if ADMIN.starts_with(&prefix) {
        results.push(json!({"name": ADMIN, "kind": "user", "is_robot": false, "avatar": avatar(ADMIN, "user")}));
    }
    if let Some(name) = own.filter(|name| call.caller.role_in(name).is_some()) {
        let robots = api.table.robots(&name).await?;
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

fn team(name: &TeamName) -> Value {
    json!({"name": name, "kind": "team", "is_org_member": true, "avatar": avatar(name.as_str(), "team")})
}

fn robot(name: &RobotName) -> Value {
    let avatar = avatar(name.as_str(), "robot");
    json!({"name": name, "kind": "user", "is_robot": true, "is_org_member": true, "avatar": avatar})
}
