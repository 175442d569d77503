//! Robots by name, and their tokens.

use moorage_domain::{Namespace, RobotName, SecretString};
use moorage_state::{Purpose, Robot};

use crate::{
    api::Api,
    http::{call::Call, endpoint::Parameters, error::ApiError},
    organization::find::find_namespace,
};

/// The robot that a path is about, or Quay's 400. 404 if there is no such organization.
pub(crate) async fn find_robot(api: &Api, path: &Parameters) -> Result<Robot, ApiError> {
    let namespace = path.namespace()?;
    let robot = match path.robot() {
        Ok(name) => api.table.robot(&name).await?,
        Err(_) => None,
    };
    if let Some(robot) = robot {
        return Ok(robot);
    }
    find_namespace(api, namespace.as_str()).await?;
    Err(unknown_robot())
}

/// A robot that a call names, which is about something of the namespace `home` that the caller is an admin of, and that may
/// be of another namespace. `None`, too, if the caller may not see that one: so nobody learns which robots it has.
pub(crate) async fn named_robot(
    api: &Api,
    call: &Call,
    home: &Namespace,
    name: &RobotName,
) -> Result<Option<Robot>, ApiError> {
    let of = name.namespace();
    if of != *home && call.caller.role_in(&of).is_none() {
        return Ok(None);
    }
    Ok(api.table.robot(name).await?)
}

/// A robot's token, decrypted.
pub(crate) async fn robot_token(api: &Api, robot: &Robot) -> Result<SecretString, ApiError> {
    Ok(api.secrets.decrypt(Purpose::Robot(&robot.name), &robot.token).await?)
}

pub(crate) fn unknown_robot() -> ApiError {
    ApiError::BrokenRule("Could not find robot with specified username".into())
}
