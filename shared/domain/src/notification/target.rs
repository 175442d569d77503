//! Where it is told: a method's configuration, as it was sent and as it is read.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::{
    arn::{Bus, TopicArn},
    method::Method,
    signing::{InvalidSecret, SigningSecret},
    template::{Template, TemplateError},
};
use crate::{Guard, Namespace};

/// The largest configuration, in bytes of JSON without blanks: a template is most of it, and escaped.
const MAX_CONFIG: usize = 40 * 1024;
/// The longest URL, in bytes.
const MAX_URL: usize = 2_048;
/// The longest name of a target, in bytes: the longest that anything here has.
const MAX_NAME: usize = 255;
/// The key of a webhook's secret, which is taken out of the configuration.
const SECRET: &str = "secret";

/// A method and its configuration. That is kept as it was sent, without the secret. It is not printed: who knows a channel's
/// URL may write there.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Target {
    stored: Stored,
    destination: Destination,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Stored {
    method: Method,
    config: Map<String, Value>,
}

/// Where messages go.
#[derive(Clone, PartialEq, Eq)]
pub enum Destination {
    /// To a URL, as the template says if there is one.
    Webhook {
        /// Http or https.
        url: Url,
        /// What the body is.
        template: Option<Template>,
    },
    /// To a channel of Slack.
    Slack {
        /// Which channel that is, and the right to write there.
        url: Url,
    },
    /// To people.
    People {
        /// Which kind `name` is of.
        kind: PeopleKind,
        /// Whom.
        name: String,
    },
    /// To a topic.
    Sns(TopicArn),
    /// To a bus.
    EventBridge(Bus),
}

/// Quay's kinds of people who get notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeopleKind {
    /// One person.
    User,
    /// An organization.
    Org,
    /// A team of the repository's organization.
    Team,
}

/// Why a configuration is none of its method's. The messages are Quay's where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is no object.
    #[error("config: is not an object")]
    NotAnObject,
    /// It is larger than is kept.
    #[error("config: is larger than {MAX_CONFIG} bytes")]
    Large,
    /// A webhook without URL.
    #[error("Missing webhook URL")]
    MissingWebhook,
    /// A URL that is none, or leads where it may not.
    #[error("Invalid webhook URL")]
    InvalidWebhook,
    /// A channel without URL.
    #[error("Missing Slack Callback URL")]
    MissingSlack,
    /// A URL that is none, or leads where it may not.
    #[error("Invalid Slack Callback URL")]
    InvalidSlack,
    /// A URL with a user or a password, which would be shown with it.
    #[error("config.url: must not have a user or a password, because it is shown to whoever sees the notification")]
    Credentials,
    /// A template that is no string.
    #[error("config.template: is not a string of JSON")]
    TemplateType,
    /// A template that is none.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A secret that is none.
    #[error("config.secret: {0}")]
    Secret(#[from] InvalidSecret),
    /// A secret for what is not signed.
    #[error("config.secret: only webhooks are signed")]
    Unsigned,
    /// Nobody is named.
    #[error("Missing target")]
    MissingTarget,
    /// Nobody whom there could be.
    #[error("config.target: takes a `kind`, which is user, org or team, and a `name`")]
    InvalidTarget,
    /// Another organization than the repository's.
    #[error("Organization name must match repository namespace")]
    OtherOrganization,
    /// No topic.
    #[error("config.topic_arn: is not the ARN of a topic, as arn:aws:sns:eu-west-1:123456789012:mirrors")]
    Topic,
    /// No bus.
    #[error(
        "config.bus: is neither the name nor the ARN of an event bus beside the default one, which has every run already"
    )]
    Bus,
}

impl PeopleKind {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Org => "org",
            Self::Team => "team",
        }
    }
}

impl Target {
    /// Parses what was sent for a notification of a repository in `namespace`; with the secret, if there is one.
    pub fn parse(
        method: Method,
        config: Value,
        namespace: &Namespace,
        guard: &Guard,
    ) -> Result<(Self, Option<SigningSecret>), ConfigError> {
        let Value::Object(mut config) = config else { return Err(ConfigError::NotAnObject) };
        let secret = match config.remove(SECRET).unwrap_or_default() {
            Value::Null => None,
            _ if method != Method::Webhook => return Err(ConfigError::Unsigned),
            secret => Some(SigningSecret::parse(secret.as_str().unwrap_or_default())?),
        };
        let target = Self::try_from(Stored { method, config })?;
        match &target.destination {
            Destination::Webhook { url, .. } if !is_allowed(url, guard) => Err(ConfigError::InvalidWebhook),
            Destination::Slack { url } if !is_allowed(url, guard) => Err(ConfigError::InvalidSlack),
            Destination::People { kind: PeopleKind::Org, name } if *name != namespace.as_str() => {
                Err(ConfigError::OtherOrganization)
            }
            _ => Ok((target, secret)),
        }
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.stored.method
    }

    /// The configuration as it was sent, without the secret.
    pub fn config(&self) -> &Map<String, Value> {
        &self.stored.config
    }

    /// Where messages go. Whether that may be connected to is to be judged again by whoever connects.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.destination).finish()
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook { url, .. } => f.debug_tuple("Webhook").field(&url.host_str()).finish(),
            Self::Slack { url } => f.debug_tuple("Slack").field(&url.host_str()).finish(),
            Self::People { kind, name } => f.debug_tuple("People").field(kind).field(name).finish(),
            Self::Sns(topic) => f.debug_tuple("Sns").field(topic).finish(),
            Self::EventBridge(bus) => f.debug_tuple("EventBridge").field(bus).finish(),
        }
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.stored == other.stored
    }
}

impl From<Target> for Stored {
    fn from(target: Target) -> Self {
        target.stored
    }
}

impl TryFrom<Stored> for Target {
    type Error = ConfigError;

    fn try_from(stored: Stored) -> Result<Self, ConfigError> {
        let config = &stored.config;
        if Value::Object(config.clone()).to_string().len() > MAX_CONFIG {
            return Err(ConfigError::Large);
        }
        let text = |key: &str| config.get(key).and_then(Value::as_str);
        let destination = match stored.method {
            Method::Webhook => Destination::Webhook {
                url: url(config, ConfigError::MissingWebhook, ConfigError::InvalidWebhook)?,
                template: template(config.get("template"))?,
            },
            Method::Slack => {
                Destination::Slack { url: url(config, ConfigError::MissingSlack, ConfigError::InvalidSlack)? }
            }
            Method::QuayNotification => people(config.get("target"))?,
            Method::Sns => Destination::Sns(text("topic_arn").and_then(TopicArn::parse).ok_or(ConfigError::Topic)?),
            Method::Eventbridge => Destination::EventBridge(text("bus").and_then(Bus::parse).ok_or(ConfigError::Bus)?),
        };
        Ok(Self { stored, destination })
    }
}

fn url(config: &Map<String, Value>, missing: ConfigError, invalid: ConfigError) -> Result<Url, ConfigError> {
    let text = match config.get("url") {
        None | Some(Value::Null) => return Err(missing),
        Some(value) => value.as_str().unwrap_or("no text"),
    };
    if text.is_empty() {
        return Err(missing);
    }
    match Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => Err(ConfigError::Credentials),
        Ok(url) if text.len() <= MAX_URL && matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(invalid),
    }
}

fn is_allowed(url: &Url, guard: &Guard) -> bool {
    url.host().is_some_and(|host| guard.allows(&host))
}

fn template(value: Option<&Value>) -> Result<Option<Template>, ConfigError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(Template::parse(text)?)),
        Some(_) => Err(ConfigError::TemplateType),
    }
}

fn people(target: Option<&Value>) -> Result<Destination, ConfigError> {
    let target = target.filter(|target| !target.is_null()).ok_or(ConfigError::MissingTarget)?;
    let text = |key: &str| target.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = match text("kind").ok_or(ConfigError::MissingTarget)? {
        "user" => PeopleKind::User,
        "org" => PeopleKind::Org,
        "team" => PeopleKind::Team,
        _ => return Err(ConfigError::InvalidTarget),
    };
    let name = text("name").filter(|name| name.len() <= MAX_NAME).ok_or(ConfigError::InvalidTarget)?;
    Ok(Destination::People { kind, name: name.to_owned() })
}

#[cfg(test)]
mod tests;
