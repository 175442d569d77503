//! To what a repository's tags are turned back.

use serde::{Deserialize, Serialize};

use crate::{PastTag, RootRule, Timestamp, run_id::RunId};

/// To what tags are turned back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The moment.
    pub at: Timestamp,
    /// The run that ended then, if it was named by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Which tags; all without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<RootRule>,
    /// Whether the whole of an organization's mirror is turned back: then a repository's run is one of its mirror's turns.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_organization: bool,
}

impl Target {
    /// Whether an entry of the past says what its tag was at the moment.
    pub fn is_of(&self, past: &PastTag) -> bool {
        past.is_of(self.at)
    }

    /// Whether an entry of the past says what somebody who has begun at `began` may have turned back before being killed.
    pub fn may_have_left(past: &PastTag, began: Option<Timestamp>) -> bool {
        began.is_some_and(|began| began <= past.end)
    }
}
