//! One question, and what was found.

use serde_json::{Value, json};

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// It is as it should be.
    Fine,
    /// Somebody should look.
    Warning,
    /// It does not work.
    Failed,
}

impl Finding {
    /// A word for it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One question, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// What was looked at.
    pub(super) what: &'static str,
    /// What was found.
    pub(super) finding: Finding,
    /// In words.
    pub(super) message: String,
    /// What to do.
    pub(super) advice: Option<String>,
}

impl Check {
    pub(super) fn fine(what: &'static str, message: impl Into<String>) -> Self {
        Self { what, finding: Finding::Fine, message: message.into(), advice: None }
    }

    pub(super) fn warning(what: &'static str, message: impl Into<String>, advice: &str) -> Self {
        Self { what, finding: Finding::Warning, message: message.into(), advice: Some(advice.to_owned()) }
    }

    pub(super) fn failed(what: &'static str, message: impl Into<String>, advice: Option<&str>) -> Self {
        Self { what, finding: Finding::Failed, message: message.into(), advice: advice.map(str::to_owned) }
    }

    /// Whether nothing further can be asked.
    pub(super) fn is_end(&self) -> bool {
        self.finding == Finding::Failed
    }

    pub(super) fn json(&self) -> Value {
        json!({"check": self.what, "result": self.finding.as_str(), "message": self.message, "advice": self.advice})
    }
}
