//! Logins as a robot by other identity providers: not supported.

use serde_json::json;

use crate::{
    api::Api,
    http::{answer::Answer, endpoint::Parameters, error::ApiError},
    robot::find::find_robot,
};

/// `GET …/robots/{robot_shortname}/federation`: nobody else may log in as a robot.
pub(crate) async fn federation(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    find_robot(api, path).await?;
    Ok(Answer::ok(json!([])))
}

/// `POST …/robots/{robot_shortname}/federation`.
pub(crate) async fn no_federation(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    find_robot(api, path).await?;
    Err(ApiError::InvalidRequest("Robot federation is not supported".into()))
}

/// `DELETE …/robots/{robot_shortname}/federation`: there is none to delete.
pub(crate) async fn no_federation_left(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    find_robot(api, path).await?;
    Ok(Answer::NoContent)
}
