//! Notifications.

use moorage_domain::notification::{Event, EventConfig, Method};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{secret::SecretSource, text::Text};

/// What a notification is to be. Its title is what it is known by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notification {
    /// What it is called, and known by: no other of the same repository or organization has it.
    pub title: String,
    /// What is told.
    pub event: Event,
    /// How.
    pub method: Method,
    /// Where.
    pub config: NotificationConfig,
    /// Which events of the kind; all without it.
    #[serde(rename = "eventConfig", default, skip_serializing_if = "Option::is_none")]
    pub event_config: Option<EventConfig>,
}

/// Where it is told, as the method has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationConfig {
    /// Of `webhook` and `slack`. Whoever knows a channel's URL may write there: it may be named as a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Text>,
    /// Of `webhook`: the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Value>,
    /// Of `webhook`: what messages are signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretSource>,
    /// Of `quay_notification`: `kind` and `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Map<String, Value>>,
    /// Of `sns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_arn: Option<String>,
    /// Of `eventbridge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
}
