//! What can be told.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The events. The first three are Quay's, the others ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Event {
    /// A sync began.
    #[serde(rename = "repo_mirror_sync_started")]
    Started,
    /// A sync mirrored everything.
    #[serde(rename = "repo_mirror_sync_success")]
    Success,
    /// A sync failed, in part or as a whole.
    #[serde(rename = "repo_mirror_sync_failed")]
    Failed,
    /// Tags point to something else than before, came, or went.
    #[serde(rename = "repo_mirror_changed")]
    Changed,
    /// A sync mirrored everything after one that failed.
    #[serde(rename = "repo_mirror_recovered")]
    Recovered,
    /// No sync mirrored everything for some intervals.
    #[serde(rename = "repo_mirror_late")]
    Late,
    /// More tags would have been deleted than one run may delete.
    #[serde(rename = "repo_mirror_deletions_held")]
    DeletionsHeld,
    /// Tags wait at the gate.
    #[serde(rename = "repo_mirror_held")]
    Held,
    /// Tags are not signed as the policy asks.
    #[serde(rename = "repo_mirror_signature_refused")]
    SignatureRefused,
    /// A sync waits for its registry.
    #[serde(rename = "repo_mirror_waiting")]
    Waiting,
}

/// How bad it is, in Quay's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Neither good nor bad.
    Info,
    /// Good.
    Success,
    /// Somebody should look.
    Warning,
    /// Bad.
    Error,
}

/// A text that names no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("event: is none of {}", names())]
pub struct UnknownEvent;

impl Event {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Started,
        Self::Success,
        Self::Failed,
        Self::Changed,
        Self::Recovered,
        Self::Late,
        Self::DeletionsHeld,
        Self::Held,
        Self::SignatureRefused,
        Self::Waiting,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "repo_mirror_sync_started",
            Self::Success => "repo_mirror_sync_success",
            Self::Failed => "repo_mirror_sync_failed",
            Self::Changed => "repo_mirror_changed",
            Self::Recovered => "repo_mirror_recovered",
            Self::Late => "repo_mirror_late",
            Self::DeletionsHeld => "repo_mirror_deletions_held",
            Self::Held => "repo_mirror_held",
            Self::SignatureRefused => "repo_mirror_signature_refused",
            Self::Waiting => "repo_mirror_waiting",
        }
    }

    /// How bad it is.
    pub const fn level(self) -> Level {
        match self {
            Self::Started | Self::Changed => Level::Info,
            Self::Success | Self::Recovered => Level::Success,
            Self::DeletionsHeld | Self::Held | Self::Waiting => Level::Warning,
            Self::Failed | Self::Late | Self::SignatureRefused => Level::Error,
        }
    }

    /// The word for it in a summary.
    const fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Changed => "changed",
            Self::Recovered => "recovered",
            Self::Late => "late",
            Self::DeletionsHeld => "holds deletions back",
            Self::Held => "holds tags at the gate",
            Self::SignatureRefused => "refused signatures",
            Self::Waiting => "waiting",
        }
    }

    /// In one line, of a body's message: Quay's text, with our words for our events.
    pub fn summary(self, message: &str) -> String {
        format!("Repository Mirror {} for {message}", self.word())
    }
}

impl Level {
    /// The name of it, as Quay has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

fn names() -> String {
    Event::ALL.map(Event::as_str).join(", ")
}

impl FromStr for Event {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        Self::ALL.into_iter().find(|event| event.as_str() == text).ok_or(UnknownEvent)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for event in Event::ALL {
            assert_eq!(event.as_str().parse(), Ok(event));
        }
        let refused = "repo_push".parse::<Event>().unwrap_err().to_string();
        assert!(
            refused.contains("repo_mirror_sync_started, ") && refused.ends_with("repo_mirror_waiting"),
            "{refused}"
        );
    }

    #[test]
    fn quays_events_are_told_in_quays_words() {
        let told = |event: Event| (event.level().as_str(), event.summary("'quay.io/a/b' with tag pattern 'v*'"));
        let text = |word: &str| format!("Repository Mirror {word} for 'quay.io/a/b' with tag pattern 'v*'");
        assert_eq!(told(Event::Started), ("info", text("started")));
        assert_eq!(told(Event::Success), ("success", text("success")));
        assert_eq!(told(Event::Failed), ("error", text("failed")));
    }
}
