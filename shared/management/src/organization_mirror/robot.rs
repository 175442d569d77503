//! The robot of an organization's mirror.

use moorage_domain::{Namespace, RobotName};

use crate::{
    api::Api,
    http::{call::Call, error::ApiError},
    robot::find::named_robot,
};

/// The robot of a mirror: it exists, and belongs to the organization.
pub(crate) async fn robot(
    api: &Api,
    call: &Call,
    organization: &Namespace,
    username: Option<&str>,
) -> Result<RobotName, ApiError> {
    let username = username.unwrap_or_default();
    let name: RobotName = username.parse().map_err(|_| invalid_robot(username))?;
    named_robot(api, call, organization, &name).await?.ok_or_else(|| invalid_robot(username))?;
    if name.namespace() == *organization {
        return Ok(name);
    }
    Err(ApiError::InvalidRequest("Robot account must belong to the organization".into()))
}

/// The answer where there is no such robot, or one that may not be meant.
pub(crate) fn invalid_robot(username: &str) -> ApiError {
    ApiError::InvalidRequest(format!("Invalid robot account: {username:.100}"))
}
