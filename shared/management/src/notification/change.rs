//! What becomes of notifications.

use moorage_domain::{
    notification::{Notice, Notification, Owner},
    usage_log::LogKind,
};
use moorage_state::StateError;
use serde_json::json;

use crate::{
    http::{answer::Answer, endpoint::Arguments, error::ApiError},
    notification::find::{find, missing, owner},
};

/// `DELETE …/notification/{uuid}`.
pub(crate) async fn delete(it: &Arguments<'_>) -> Result<Answer, ApiError> {
    let (owner, notification) = found(it).await?;
    match it.api.table.delete_notification(&owner, notification.uuid).await {
        Err(StateError::NotFound) => return Err(missing(&owner, it.parameters.get("uuid"))),
        result => result?,
    }
    log(it, &owner, &notification, LogKind::DeleteRepoNotification).await;
    Ok(Answer::NoContent)
}

/// `POST …/notification/{uuid}`: its counter begins anew, which switches it on again.
pub(crate) async fn reset(it: &Arguments<'_>) -> Result<Answer, ApiError> {
    let (owner, notification) = found(it).await?;
    it.api.table.reset_notification(&owner, notification.uuid).await?;
    log(it, &owner, &notification, LogKind::ResetRepoNotification).await;
    Ok(Answer::NoContent)
}

/// `POST …/notification/{uuid}/test`: sends a sample.
pub(crate) async fn test(it: &Arguments<'_>) -> Result<Answer, ApiError> {
    let (owner, notification) = found(it).await?;
    it.api.teller.tell(&Notice::Test { owner, uuid: notification.uuid }).await?;
    Ok(Answer::ok(json!({})))
}

async fn found(it: &Arguments<'_>) -> Result<(Owner, Notification), ApiError> {
    let (owner, uuid) = (owner(it).await?, it.parameters.get("uuid"));
    let notification = find(it.api, &owner, uuid).await?.ok_or_else(|| missing(&owner, uuid))?;
    Ok((owner, notification))
}

/// Quay's entry of the usage log.
pub(crate) async fn log(it: &Arguments<'_>, owner: &Owner, notification: &Notification, kind: LogKind) {
    let metadata = notification.log_metadata(owner);
    match owner {
        Owner::Repository(repository) => it.api.log(it.call, repository, vec![(kind, metadata)]).await,
        Owner::Organization(namespace) => it.api.log_object(it.call, namespace, kind, metadata).await,
    }
}
