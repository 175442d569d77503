//! People by name.

use moorage_state::{ADMIN, User};
use serde_json::json;

use crate::{
    api::Api,
    http::{answer::Answer, avatar::avatar, error::ApiError},
};

/// The user `name`, or 404.
pub(crate) async fn find_user(api: &Api, name: &str) -> Result<User, ApiError> {
    let name = name.parse().map_err(|_| ApiError::NotFound)?;
    api.table.user(&name).await?.ok_or(ApiError::NotFound)
}

/// `GET users/{username}`: that there is somebody of the name, and no more.
pub(crate) async fn get(api: &Api, name: &str) -> Result<Answer, ApiError> {
    if name != ADMIN {
        find_user(api, name).await?;
    }
    Ok(Answer::ok(json!({"anonymous": false, "username": name, "avatar": avatar(name, "user")})))
}
