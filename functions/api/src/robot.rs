//! Robot accounts.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{ExposeSecret as _, RobotName, SecretString};
use moorage_state::{Purpose, Robot, RobotToken, StateError};
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    api::{Api, Call, now},
    error::ApiError,
    field::Fields,
    organization,
};

/// The longest description, as in Quay.
const DESCRIPTION_LENGTH: usize = 255;
/// The most that a robot's metadata may hold, in bytes of JSON.
const METADATA_LENGTH: usize = 16 * 1024;

/// How many tokens are decrypted at once, for a list of robots.
const DECRYPTIONS: usize = 16;

/// `GET /organization/{organization}/robots`.
pub(crate) async fn list(api: &Api, organization: &str, call: &Call) -> Result<Answer, ApiError> {
    let limit = call.limit(i32::MAX, i32::MAX)?;
    if call.flag("permissions", false) {
        // An empty list would say that they have none.
        let detail = "permissions are listed by repository: GET /repository/{repository}/permissions/user/";
        return Err(ApiError::InvalidRequest(detail.into()));
    }
    let organization = organization::find(api, organization).await?;
    let mut robots = api.table.robots(&organization.name).await?;
    robots.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let entries = if call.flag("token", true) {
        let entry = async |robot: Robot| -> Result<Value, ApiError> {
            let token = api.secrets.decrypt(Purpose::Robot(&robot.name), &robot.token).await?;
            Ok(entry(&robot, Some(&token)))
        };
        stream::iter(robots).map(entry).buffered(DECRYPTIONS).try_collect().await?
    } else {
        robots.iter().map(|robot| entry(robot, None)).collect::<Vec<_>>()
    };
    Ok(Answer::ok(json!({ "robots": entries })))
}

/// `GET /organization/{organization}/robots/{short}`.
pub(crate) async fn get(api: &Api, organization: &str, short: &str) -> Result<Answer, ApiError> {
    let organization = organization::find(api, organization).await?;
    let unknown = || ApiError::BrokenRule("Could not find robot with specified username".into());
    let name = RobotName::new(&organization.name, short).map_err(|_| unknown())?;
    let robot = api.table.robot(&name).await?.ok_or_else(unknown)?;
    let token = api.secrets.decrypt(Purpose::Robot(&robot.name), &robot.token).await?;
    Ok(Answer::ok(view(&robot, &token)))
}

/// `PUT /organization/{organization}/robots/{short}`.
pub(crate) async fn create(api: &Api, organization: &str, short: &str, call: &Call) -> Result<Answer, ApiError> {
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
    let organization = organization::find(api, organization).await?;
    let name = RobotName::new(&organization.name, short).map_err(|_| {
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
        name,
    };
    match api.table.create_robot(&robot).await {
        Ok(()) => Ok(Answer::Json(201, view(&robot, &token.0))),
        Err(StateError::Conflict) => Err(ApiError::BrokenRule(format!("Existing robot with name: {}", robot.name))),
        Err(error) => Err(error.into()),
    }
}

fn view(robot: &Robot, token: &SecretString) -> Value {
    json!({
        "name": robot.name, "created": robot.created.rfc2822(), "last_accessed": null,
        "description": robot.description, "token": token.expose_secret(),
        "unstructured_metadata": robot.unstructured_metadata,
    })
}

/// Quay's entry of a list, which differs from the view of one robot.
fn entry(robot: &Robot, token: Option<&SecretString>) -> Value {
    let mut entry = json!({
        "name": robot.name, "created": robot.created.rfc2822(), "last_accessed": null,
        "description": robot.description, "teams": [], "repositories": [],
    });
    if let Some(token) = token {
        entry["token"] = token.expose_secret().into();
    }
    entry
}
