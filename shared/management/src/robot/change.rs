//! New robots, new tokens, and the end of robots.

use std::collections::BTreeSet;

use moorage_domain::{Generation, RobotName, usage_log::LogKind};
use moorage_state::{Purpose, Robot, RobotToken, StateError, now};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, endpoint::Parameters, error::ApiError, field::Fields},
    organization::find::{find_generation, find_namespace},
    robot::{
        federation,
        find::{find_robot, unknown_robot},
        registry,
        view::view,
    },
};

/// The longest description, as in Quay.
const DESCRIPTION_LENGTH: usize = 255;

/// The most that a robot's metadata may hold, in bytes of JSON.
const METADATA_LENGTH: usize = 16 * 1024;

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
    let registry = registry::parse_optional(fields, &api.guard)?;
    let federation = federation::parse_optional(&body, &api.guard)?;
    let (namespace, organization_id) = find_generation(api, path.namespace()?.as_str()).await?;
    let short = path.get("robot_shortname");
    let name = RobotName::new(&namespace, short).map_err(|_| {
        ApiError::BrokenRule(format!(
            "The name for the robot '{short:.100}' is invalid: it must match ^([a-z0-9]+(?:[._-][a-z0-9]+)*)$"
        ))
    })?;
    let token = token(fields)?;
    let robot = Robot {
        token: api.secrets.encrypt(Purpose::Robot(&name), &token.0).await?,
        token_hash: token.hash(),
        description: description.to_owned(),
        created: now(),
        unstructured_metadata: metadata,
        external_registry: match registry {
            Some(registry) => Some(registry.encrypt(api, &name, None).await?),
            None => None,
        },
        id: Generation::new(Uuid::new_v4()),
        organization_id,
        federation,
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
        ("config", federation::view(&robot.federation)),
    ];
    api.log_namespace(call, &namespace, LogKind::CreateRobot, metadata).await;
    Ok(Answer::Json(201, view(&robot, &token.0)))
}

/// `DELETE …/robots/{robot_shortname}`.
pub(crate) async fn delete(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    // One that is half deleted is found no more; what is left of it goes.
    let name = path.robot()?;
    find_namespace(api, name.namespace().as_str()).await?;
    match api.table.delete_robot(&name).await {
        Err(StateError::NotFound) => return Err(unknown_robot()),
        Err(StateError::Conflict) => {
            return Err(ApiError::InvalidRequest("Robot is being used by a mirror".into()));
        }
        result => result?,
    }
    api.log_namespace(call, &name.namespace(), LogKind::DeleteRobot, [("robot", name.short().into())]).await;
    Ok(Answer::NoContent)
}

/// The token that was sent, for robots that move here with theirs; otherwise a new one.
fn token(fields: Fields<'_>) -> Result<RobotToken, ApiError> {
    match fields.nullable_string("token")?.flatten() {
        Some(given) => RobotToken::given(given).map_err(|error| ApiError::InvalidRequest(error.to_string())),
        None => Ok(RobotToken::generate()),
    }
}

/// `POST …/robots/{robot_shortname}/regenerate`: the token before no longer works.
pub(crate) async fn regenerate(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let body = call.optional_object()?;
    let token = token(Fields(&body))?;
    let robot = find_robot(api, path).await?;
    let encrypted = api.secrets.encrypt(Purpose::Robot(&robot.name), &token.0).await?;
    match api.table.set_robot_token(&robot.name, &token.hash(), &encrypted).await {
        Err(StateError::NotFound) => return Err(unknown_robot()),
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
