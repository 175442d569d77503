//! How it is told.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The methods. The first three are Quay's, the others ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A POST of the event to a URL.
    Webhook,
    /// A message in a channel of Slack.
    Slack,
    /// A note in the console.
    QuayNotification,
    /// A message to a topic of SNS.
    Sns,
    /// An event on a bus of EventBridge.
    Eventbridge,
}

/// A text that names no method that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownMethod {
    /// Quay's, which takes a mail server.
    #[error("method: email is not supported; use sns with a topic that has an e-mail subscription")]
    Email,
    /// Quay's, of services that are no more.
    #[error("method: flowdock and hipchat are not supported, as neither service exists any more; use slack or webhook")]
    Gone,
    /// Nobody's.
    #[error("method: is none of webhook, slack, quay_notification, sns, eventbridge")]
    Unknown,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Webhook, Self::Slack, Self::QuayNotification, Self::Sns, Self::Eventbridge];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::QuayNotification => "quay_notification",
            Self::Sns => "sns",
            Self::Eventbridge => "eventbridge",
        }
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(text: &str) -> Result<Self, UnknownMethod> {
        let unknown = match text {
            "email" => UnknownMethod::Email,
            "flowdock" | "hipchat" => UnknownMethod::Gone,
            _ => UnknownMethod::Unknown,
        };
        Self::ALL.into_iter().find(|method| method.as_str() == text).ok_or(unknown)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for method in Method::ALL {
            assert_eq!(method.as_str().parse(), Ok(method));
        }
        let refused = |text: &str| text.parse::<Method>().unwrap_err().to_string();
        assert!(refused("email").contains("use sns"));
        assert_eq!((refused("flowdock"), refused("hipchat").contains("use slack")), (refused("hipchat"), true));
        for method in Method::ALL {
            assert!(refused("Webhook").contains(method.as_str()), "{method}");
        }
    }
}
