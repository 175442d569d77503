//! A new notification.

use moorage_domain::{
    notification::{Asked, Draft, NotificationError},
    usage_log::LogKind,
};
use moorage_state::{MAX_NOTIFICATIONS, Purpose, now};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    http::{answer::Answer, call::Call, endpoint::Arguments, error::ApiError, field::Fields},
    notification::{change::log, find::owner},
};

/// `POST …/notification/`. A webhook's `secret` is kept encrypted, and never shown.
pub(crate) async fn create(it: &Arguments<'_>) -> Result<Answer, ApiError> {
    let asked = asked(it.call)?;
    let owner = owner(it).await?;
    let invalid = |error: NotificationError| ApiError::InvalidRequest(error.to_string());
    let draft = Draft::new(asked, &owner.namespace(), &it.api.guard).map_err(invalid)?;
    if it.api.table.notifications(&owner).await?.len() >= MAX_NOTIFICATIONS {
        let message = format!("There are {MAX_NOTIFICATIONS} notifications already, the most that there can be.");
        return Err(ApiError::Refused(message));
    }
    let uuid = Uuid::new_v4();
    let secret = match &draft.secret {
        Some(secret) => Some(it.api.secrets.encrypt(Purpose::Notification(&owner, uuid), secret.text()).await?),
        None => None,
    };
    let notification = draft.store(uuid, secret, now());
    it.api.table.create_notification(&owner, &notification).await?;
    log(it, &owner, &notification, LogKind::AddRepoNotification).await;
    Ok(Answer::Json(201, notification.view()))
}

/// What is asked for, in Quay's words.
fn asked(call: &Call) -> Result<Asked, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["event", "method", "config", "eventConfig"])?;
    let object = |name: &str| -> Result<Value, ApiError> {
        Ok(Value::Object(fields.object(name)?.cloned().unwrap_or_else(Map::new)))
    };
    Ok(Asked {
        title: fields.nullable_string("title")?.flatten().map(str::to_owned),
        event: fields.string("event")?.unwrap_or_default().to_owned(),
        method: fields.string("method")?.unwrap_or_default().to_owned(),
        config: object("config")?,
        event_config: object("eventConfig")?,
    })
}
