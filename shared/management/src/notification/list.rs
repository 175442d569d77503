//! What there is.

use moorage_domain::notification::Notification;
use serde_json::json;

use crate::{
    http::{answer::Answer, endpoint::Arguments, error::ApiError},
    notification::find::{find, owner},
};

/// `GET …/notification/`.
pub(crate) async fn list(it: &Arguments<'_>) -> Result<Answer, ApiError> {
    let owner = owner(it).await?;
    let mut all = it.api.table.notifications(&owner).await?;
    all.sort_by_key(|notification| (notification.created_at, notification.uuid));
    Ok(Answer::ok(json!({"notifications": all.iter().map(Notification::view).collect::<Vec<_>>()})))
}

/// `GET …/notification/{uuid}`.
pub(crate) async fn get(it: &Arguments<'_>) -> Result<Answer, ApiError> {
    let owner = owner(it).await?;
    let found = find(it.api, &owner, it.parameters.get("uuid")).await?;
    Ok(Answer::ok(found.ok_or(ApiError::NotFound)?.view()))
}
