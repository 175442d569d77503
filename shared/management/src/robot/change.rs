//! Robot accounts.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{ExposeSecret as _, Generation, RepositoryName, RobotName, SecretString, usage_log::LogKind};
use moorage_state::{Purpose, Robot, RobotToken, Role, StateError};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    api::{Api, Call, now},
    http::{answer::Answer, endpoint::Parameters, error::ApiError, field::Fields},
    organization::change::{self as organization, avatar},
    robot::registry as robot_registry,
};

/// The longest description, as in Quay.
const DESCRIPTION_LENGTH: usize = 255;
/// The most that a robot's metadata may hold, in bytes of JSON.
const METADATA_LENGTH: usize = 16 * 1024;
/// How many robots or repositories are looked up at once, for a list of them.
const LOOKS: usize = 16;

/// `GET …/robots`.
pub(crate) async fn list(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let limit = call.limit(i32::MAX, i32::MAX)?;
    let namespace = organization::find_namespace(api, path.namespace()?.as_str()).await?;
    // Members who are not admins see neither, as in Quay.
    let is_admin = call.caller.role_in(&namespace) == Some(Role::Admin);
    let (tokens, permissions) = (is_admin && call.flag("token", true), is_admin && call.flag("permissions", false));
    let mut robots = api.table.robots(&namespace).await?;
    robots.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let entry = |robot: Robot| entry(api, robot, tokens, permissions);
    let entries = stream::iter(robots).map(entry).buffered(LOOKS).try_collect::<Vec<_>>().await?;
    Ok(Answer::ok(json!({ "robots": entries })))
}

/// `GET …/robots/{robot_shortname}`.
pub(crate) async fn get(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    let robot = find(api, path).await?;
    let token = token(api, &robot).await?;
    Ok(Answer::ok(view(&robot, &token)))
}

/// `PUT …/robots/{robot_shortname}`.
pub(crate) async fn create(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let body = call.optional_object()?;
    let fields = Fields(&body);
    let description = fields.nullable_string("description")?.flatten().unwrap_or_default();
    let metadata = fields.object("unstructured_metadata")?.cloned().unwrap_or_default();
    if description.chars().count() > DESCRIPTION_LENGTH {
        return Err(ApiError::InvalidRequest(format!("description is longer than {DESCRIPTION_LENGTH} characters")));
    }
    if Value::Object(metadata.clone()).to_string().len() > METADATA_LENGTH {
        return Err(ApiError::InvalidRequest(format!("unstructured_metadata is longer than {METADATA_LENGTH} bytes")));
    }
    let registry = robot_registry::parse_optional(fields, &api.guard)?;
    let (namespace, organization_id) = organization::find_place(api, path.namespace()?.as_str()).await?;
    let short = path.get("robot_shortname");
    let name = RobotName::new(&namespace, short).map_err(|_| {
        ApiError::BrokenRule(format!(
            "The name for the robot '{short:.100}' is invalid: it must match ^([a-z0-9]+(?:[._-][a-z0-9]+)*)$"
        ))
    })?;
    let token = RobotToken::generate();
    let robot = Robot {
        token: api.secrets.encrypt(Purpose::Robot(&name), &token.0).await?,
        token_hash: token.hash(),
        description: description.to_owned(),
        created: now(),
        unstructured_metadata: metadata,
        external_registry: match registry {
            Some(registry) => Some(registry.encrypt(api, &name).await?),
            None => None,
        },
        id: Generation::new(Uuid::new_v4()),
        organization_id,
        mirrors: 0,
        teams: BTreeSet::new(),
        name,
    };
    match api.table.create_robot(&robot).await {
        Ok(()) => {}
        Err(StateError::Conflict) => {
            return Err(ApiError::BrokenRule(format!("Existing robot with name: {}", robot.name)));
        }
        Err(error) => return Err(error.into()),
    }
    let metadata = [
        ("robot", robot.name.short().into()),
        ("description", robot.description.clone().into()),
        ("unstructured_metadata", Value::Object(robot.unstructured_metadata.clone())),
    ];
    api.log_namespace(call, &namespace, LogKind::CreateRobot, metadata).await;
    Ok(Answer::Json(201, view(&robot, &token.0)))
}

/// `DELETE …/robots/{robot_shortname}`.
pub(crate) async fn delete(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    // One that is half deleted is found no more, but goes on to be deleted.
    let name = path.robot()?;
    organization::find_namespace(api, name.namespace().as_str()).await?;
    match api.table.delete_robot(&name).await {
        Err(StateError::NotFound) => return Err(unknown()),
        Err(StateError::Conflict) => {
            return Err(ApiError::InvalidRequest("Robot is being used by a mirror".into()));
        }
        result => result?,
    }
    api.log_namespace(call, &name.namespace(), LogKind::DeleteRobot, [("robot", name.short().into())]).await;
    Ok(Answer::NoContent)
}

/// `POST …/robots/{robot_shortname}/regenerate`: the token before no longer works.
pub(crate) async fn regenerate(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let robot = find(api, path).await?;
    let token = RobotToken::generate();
    let encrypted = api.secrets.encrypt(Purpose::Robot(&robot.name), &token.0).await?;
    match api.table.set_robot_token(&robot.name, &token.hash(), &encrypted).await {
        Err(StateError::NotFound) => return Err(unknown()),
        result => result?,
    }
    let name = &robot.name;
    api.log_namespace(call, &name.namespace(), LogKind::RegenerateRobotToken, [("robot", name.short().into())]).await;
    let mut view = view(&robot, &token.0);
    if let Some(fields) = view.as_object_mut() {
        // Quay leaves them out here.
        fields.remove("unstructured_metadata");
    }
    Ok(Answer::ok(view))
}

/// `GET …/robots/{robot_shortname}/permissions`.
pub(crate) async fn permissions(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    let robot = find(api, path).await?;
    roles(api, api.table.grants(&robot).await?).await
}

/// Quay's view of the roles that somebody has on repositories.
pub(crate) async fn roles(api: &Api, grants: Vec<(RepositoryName, Role)>) -> Result<Answer, ApiError> {
    let view = async |(repository, role): (RepositoryName, Role)| -> Result<_, ApiError> {
        let found = api.table.repository(&repository).await?;
        Ok(found.map(|it| {
            let repository = json!({"name": repository.name(), "is_public": it.is_public});
            json!({"repository": repository, "role": role.as_str()})
        }))
    };
    let views: Vec<_> = stream::iter(grants).map(view).buffered(LOOKS).try_collect().await?;
    Ok(Answer::ok(json!({"permissions": views.into_iter().flatten().collect::<Vec<_>>()})))
}

/// `GET …/robots/{robot_shortname}/federation`: nobody else may log in as a robot.
pub(crate) async fn federation(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    find(api, path).await?;
    Ok(Answer::ok(json!([])))
}

/// `POST …/robots/{robot_shortname}/federation`.
pub(crate) async fn no_federation(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    find(api, path).await?;
    Err(ApiError::InvalidRequest("Robot federation is not supported".into()))
}

/// `DELETE …/robots/{robot_shortname}/federation`: there is none to delete.
pub(crate) async fn no_federation_left(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    find(api, path).await?;
    Ok(Answer::NoContent)
}

/// The robot that a path is about, or Quay's 400. 404 if there is no such organization.
pub(crate) async fn find(api: &Api, path: &Parameters) -> Result<Robot, ApiError> {
    let namespace = path.namespace()?;
    let robot = match path.robot() {
        Ok(name) => api.table.robot(&name).await?,
        Err(_) => None,
    };
    if let Some(robot) = robot {
        return Ok(robot);
    }
    organization::find_namespace(api, namespace.as_str()).await?;
    Err(unknown())
}

/// A robot that somebody names who may mean another namespace's. Whoever may see nothing of that one is told of none in it.
pub(crate) async fn named(api: &Api, call: &Call, name: &RobotName) -> Result<Option<Robot>, ApiError> {
    if call.caller.role_in(&name.namespace()).is_none() {
        return Ok(None);
    }
    Ok(api.table.robot(name).await?)
}

/// A robot's token, decrypted.
pub(crate) async fn token(api: &Api, robot: &Robot) -> Result<SecretString, ApiError> {
    Ok(api.secrets.decrypt(Purpose::Robot(&robot.name), &robot.token).await?)
}

fn unknown() -> ApiError {
    ApiError::BrokenRule("Could not find robot with specified username".into())
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
    }
    view
}

/// Quay's entry of a list, which differs from the view of one robot.
async fn entry(api: &Api, robot: Robot, with_token: bool, with_permissions: bool) -> Result<Value, ApiError> {
    let mut entry = json!({
        "name": robot.name, "created": robot.created.rfc2822(), "last_accessed": null,
        "description": robot.description,
    });
    if with_token {
        entry["token"] = token(api, &robot).await?.expose_secret().into();
    }
    if with_permissions {
        let grants = api.table.grants(&robot).await?;
        let names: Vec<_> = grants.iter().map(|(repository, _)| repository.name()).collect();
        entry["repositories"] = names.into();
        let teams = robot.teams.iter().map(|team| json!({"name": team, "avatar": avatar(team.as_str(), "team")}));
        entry["teams"] = teams.collect();
    }
    Ok(entry)
}
