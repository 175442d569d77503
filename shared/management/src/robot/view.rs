//! What is shown of robots.

use std::collections::HashMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    ExposeSecret as _, RobotName, SecretString,
    mirror::{CREDENTIALS, TLS},
};
use moorage_state::{Robot, RobotMirrors, Role};
use serde_json::{Value, json};

use crate::{
    api::Api,
    external_registry::tls,
    http::{answer::Answer, avatar::avatar, call::Call, endpoint::Parameters, error::ApiError},
    organization::find::find_namespace,
    repository::grants,
    robot::{
        federation,
        find::{find_robot, robot_token},
    },
};

/// How many robots are looked up at once, for a list of them.
const LOOKS: usize = 16;

/// `GET …/robots`.
pub(crate) async fn list(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let limit = call.limit(i32::MAX, i32::MAX)?;
    let namespace = find_namespace(api, path.namespace()?.as_str()).await?;
    // Members who are not admins see neither, as in Quay.
    let is_admin = call.caller.role_in(&namespace) == Some(Role::Admin);
    let (tokens, permissions) = (is_admin && call.flag("token", true), is_admin && call.flag("permissions", false));
    let mut robots = api.table.robots(&namespace).await?;
    robots.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let mirrors = if permissions && robots.iter().any(is_used) {
        api.table.mirrors_of_robots(&namespace).await?
    } else {
        HashMap::new()
    };
    let permissions = permissions.then_some(&mirrors);
    let entry = |robot: Robot| entry(api, robot, tokens, permissions);
    let entries = stream::iter(robots).map(entry).buffered(LOOKS).try_collect::<Vec<_>>().await?;
    Ok(Answer::ok(json!({ "robots": entries })))
}

/// `GET …/robots/{robot_shortname}`.
pub(crate) async fn get(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    let robot = find_robot(api, path).await?;
    let token = robot_token(api, &robot).await?;
    let mut view = view(&robot, &token);
    if is_used(&robot) {
        let mirrors = api.table.mirrors_of_robots(&robot.name.namespace()).await?;
        show_mirrors(&mut view, mirrors.get(&robot.name));
    }
    Ok(Answer::ok(view))
}

/// Whether a mirror has the robot, be it an organization's.
fn is_used(robot: &Robot) -> bool {
    robot.mirrors > 0
}

/// Adds whose robot it is to its view.
fn show_mirrors(view: &mut Value, mirrors: Option<&RobotMirrors>) {
    if let Some(RobotMirrors { names, total }) = mirrors {
        view["mirrors"] = json!(names);
        view["mirrors_total"] = json!(total);
    }
}

/// `GET …/robots/{robot_shortname}/permissions`.
pub(crate) async fn permissions(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    let robot = find_robot(api, path).await?;
    grants::view(api, api.table.grants(&robot).await?).await
}

/// Quay's view of a robot. What Quay does not have is there only where it says something.
pub(crate) fn view(robot: &Robot, token: &SecretString) -> Value {
    let mut view = json!({
        "name": robot.name, "created": robot.created.rfc2822(), "last_accessed": null,
        "description": robot.description, "token": token.expose_secret(),
        "unstructured_metadata": robot.unstructured_metadata,
    });
    if let Some(registry) = &robot.external_registry {
        view["external_registry"] = json!({
            "host": registry.host, "username": registry.username, "allow_insecure": registry.allow_insecure,
            "allow_proxy": registry.allow_proxy,
        });
        if let Some(tls) = tls::shown(&registry.tls) {
            view["external_registry"][TLS] = tls;
        }
        if let Some(login) = &registry.credentials {
            view["external_registry"][CREDENTIALS] = json!(login);
        }
    }
    if !robot.federation.is_empty() {
        view["federation"] = federation::view(&robot.federation);
    }
    view
}

/// Quay's entry of a list, which differs from the view of one robot.
async fn entry(
    api: &Api,
    robot: Robot,
    with_token: bool,
    with_permissions: Option<&HashMap<RobotName, RobotMirrors>>,
) -> Result<Value, ApiError> {
    let mut entry = json!({
        "name": robot.name, "created": robot.created.rfc2822(), "last_accessed": null,
        "description": robot.description,
    });
    if with_token {
        entry["token"] = robot_token(api, &robot).await?.expose_secret().into();
    }
    if let Some(mirrors) = with_permissions {
        let grants = api.table.grants(&robot).await?;
        let names: Vec<_> = grants.iter().map(|(repository, _)| repository.name()).collect();
        entry["repositories"] = names.into();
        let teams = robot.teams.iter().map(|team| json!({"name": team, "avatar": avatar(team.as_str(), "team")}));
        entry["teams"] = teams.collect();
        show_mirrors(&mut entry, mirrors.get(&robot.name));
    }
    Ok(entry)
}
