//! What is known of a registry's referrers API while it is asked.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use moorage_upstream::UpstreamError;
use tokio_util::sync::CancellationToken;

use crate::error::WorkError;

/// What is known of the registry's referrers API.
#[derive(Default)]
pub(crate) struct Api {
    /// Whether there is one; nothing before the first answer.
    pub(crate) exists: Option<bool>,
    /// How often it has refused.
    pub(crate) refusals: u32,
    /// Whether it refused for ever, as far as can be seen.
    pub(crate) is_closed: bool,
}

/// What came of asking for one subject.
pub(crate) enum Asked {
    /// Nothing: it was not to be waited for any more.
    Unanswered,
    /// The registry refused to say it.
    Refused(UpstreamError),
    /// Whether there is such an API, as far as that shows it, and whether there is anything.
    Answered { exists: Option<bool>, merged: Result<bool, WorkError> },
}

/// What is not to go on.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    /// Further questions.
    pub(crate) beginning: AtomicBool,
    /// Those that were not answered yet.
    pub(crate) asking: CancellationToken,
}

impl Stop {
    /// Ends both; what was answered is still kept.
    pub(crate) fn all(&self) {
        self.beginning.store(true, Relaxed);
        self.asking.cancel();
    }
}
