//! Notifications: who is told of what happens to a mirror, and how. Quay's API, with events and methods of ours.
//!
//! What happens is a [`Happening`]; [`events`] says which events that is, [`decide`] whether a notification gets a message,
//! [`body`] what is in it, and [`SigningSecret`] signs it. Nothing here sends it.
//!
//! | event | | level |
//! |---|---|---|
//! | `repo_mirror_sync_started` | a sync began | info |
//! | `repo_mirror_sync_success` | it mirrored everything | success |
//! | `repo_mirror_sync_failed` | it failed, in part or as a whole; not if somebody cancelled it | error |
//! | `repo_mirror_changed` | tags came, went, or point to something else | info |
//! | `repo_mirror_recovered` | it mirrored everything, after one that failed | success |
//! | `repo_mirror_late` | none has mirrored everything for some intervals | error |
//! | `repo_mirror_deletions_held` | more tags would have been deleted than one run may delete | warning |
//! | `repo_mirror_held` | tags wait at the gate that did not | warning |
//! | `repo_mirror_signature_refused` | tags are not signed as the policy asks | error |
//! | `repo_mirror_waiting` | a sync waits for its registry | warning |

mod arn;
mod backoff;
mod body;
mod decide;
mod event;
mod event_config;
mod happening;
mod message;
mod method;
mod notice;
mod path;
mod payload;
mod signing;
mod target;
mod template;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub use arn::{Bus, TopicArn};
pub use body::{Place, body, sample};
pub use decide::{Decision, Quiet, decide, events};
pub use event::{Event, Level, UnknownEvent};
pub use event_config::EventConfig;
pub use happening::{Attempt, Ending, FailedTag, Happening, Moment};
pub use method::{Method, UnknownMethod};
pub use notice::{Message, Notice, Owner};
pub use path::PathError;
pub use payload::{Payload, payload};
pub use signing::{InvalidSecret, MessageId, SigningSecret, is_github};
pub use target::{ConfigError, Destination, PeopleKind, Target};
pub use template::{Template, TemplateError};

use crate::{Ciphertext, FieldError, Guard, Namespace, Timestamp};

/// After so many events in a row that could not be delivered, however often each was tried, nothing is sent any more until
/// somebody resets the counter. Quay's number, of tries.
pub const MAX_FAILURES: u32 = 3;
/// The longest title, in bytes.
const MAX_TITLE: usize = 256;

/// Somebody who is told of one kind of event of a repository's mirror.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Its name.
    pub uuid: Uuid,
    /// What people call it.
    #[serde(default)]
    pub title: Option<String>,
    /// What is told.
    pub event: Event,
    /// How, and where.
    #[serde(flatten)]
    pub target: Target,
    /// Which events of the kind.
    pub event_config: EventConfig,
    /// How many events in a row could not be delivered.
    #[serde(default)]
    pub number_of_failures: u32,
    /// What messages are signed with, encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Ciphertext>,
    /// When it was created.
    #[serde(default)]
    pub created_at: Timestamp,
    /// When a message was last made for it, a test not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sent: Option<Timestamp>,
    /// Which message that was: the same is not made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message: Option<String>,
    /// When a message last could not be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failed: Option<Timestamp>,
}

/// What somebody asks for who creates a notification.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// What people call it.
    pub title: Option<String>,
    /// An event's name.
    pub event: String,
    /// A method's name.
    pub method: String,
    /// The method's configuration.
    pub config: Value,
    /// `eventConfig`.
    pub event_config: Value,
}

/// A notification that is not stored yet.
#[derive(Debug, Clone)]
pub struct Draft {
    title: Option<String>,
    event: Event,
    target: Target,
    event_config: EventConfig,
    /// What its messages are to be signed with. Whoever stores it encrypts this.
    pub secret: Option<SigningSecret>,
}

/// Why there is no such notification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// The title is too long.
    #[error("title: is longer than {MAX_TITLE} bytes")]
    Title,
    /// The event.
    #[error(transparent)]
    Event(#[from] UnknownEvent),
    /// The method.
    #[error(transparent)]
    Method(#[from] UnknownMethod),
    /// The method's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Ours of the event's configuration.
    #[error(transparent)]
    EventConfig(#[from] FieldError),
}

/// What became of a message, after all tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Somebody has it.
    Delivered,
    /// Nobody took it.
    Failed,
}

impl Draft {
    /// Of what is asked for; hosts are judged by `guard`.
    pub fn new(asked: Asked, namespace: &Namespace, guard: &Guard) -> Result<Self, NotificationError> {
        let Asked { title, event, method, config, event_config } = asked;
        if title.as_ref().is_some_and(|title| title.len() > MAX_TITLE) {
            return Err(NotificationError::Title);
        }
        let event = event.parse()?;
        let (target, secret) = Target::parse(method.parse()?, config, namespace, guard)?;
        Ok(Self { title, event, target, event_config: EventConfig::parse(event, event_config)?, secret })
    }

    /// The notification, with its secret encrypted.
    pub fn store(self, uuid: Uuid, secret: Option<Ciphertext>, created_at: Timestamp) -> Notification {
        let Self { title, event, target, event_config, secret: _ } = self;
        let (last_sent, last_message, last_failed) = (None, None, None);
        let number_of_failures = 0;
        Notification {
            uuid,
            title,
            event,
            target,
            event_config,
            number_of_failures,
            secret,
            created_at,
            last_sent,
            last_message,
            last_failed,
        }
    }
}

impl Notification {
    /// Whether it has failed so often that nothing is sent.
    pub fn is_off(&self) -> bool {
        self.number_of_failures >= MAX_FAILURES
    }

    /// After its message was delivered, or was not.
    #[must_use]
    pub fn after(self, delivery: Delivery, at: Timestamp) -> Self {
        match delivery {
            Delivery::Delivered => self.reset(),
            Delivery::Failed => {
                Self { number_of_failures: self.number_of_failures.saturating_add(1), last_failed: Some(at), ..self }
            }
        }
    }

    /// With its counter at zero.
    #[must_use]
    pub fn reset(self) -> Self {
        Self { number_of_failures: 0, ..self }
    }

    /// As Quay's API shows it, and whether it is on and signs. The secret is never shown.
    pub fn view(&self) -> Value {
        json!({
            "uuid": self.uuid,
            "title": self.title,
            "event": self.event,
            "method": self.target.method(),
            "config": self.target.config(),
            "event_config": self.event_config,
            "number_of_failures": self.number_of_failures,
            "enabled": !self.is_off(),
            "signed": self.secret.is_some(),
        })
    }

    /// Quay's metadata of the usage log's entries about it.
    pub fn log_metadata(&self, owner: &Owner) -> Map<String, Value> {
        let repository = match owner {
            Owner::Repository(repository) => Some(("repo", repository.name().to_owned())),
            Owner::Organization(_) => None,
        };
        let fields = [
            ("namespace", owner.namespace().to_string()),
            ("notification_id", self.uuid.to_string()),
            ("event", self.event.to_string()),
            ("method", self.target.method().to_string()),
        ];
        let all = repository.into_iter().chain(fields);
        all.map(|(key, value)| (key.to_owned(), Value::String(value))).collect()
    }
}

#[cfg(test)]
mod tests;
