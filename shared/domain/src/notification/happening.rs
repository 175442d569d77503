//! What has happened, of which events are made: told by whoever runs syncs, in the words of a run.

use crate::{
    FailureReason, TagName, Timestamp, Warning,
    changes::{ChangeKind, TagChange},
    failure::Failure,
    run::TagOutcome,
};

/// Something that happened to a mirror.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// When in the life of a run.
    pub moment: Moment,
    /// Which of the run's attempts.
    pub attempt: Attempt,
    /// What changed since the run's first attempt began.
    pub changes: Vec<TagChange>,
    /// Why it failed as a whole, or the first tag's failure.
    pub failure: Option<Failure>,
    /// The tags that failed.
    pub failed: Vec<FailedTag>,
    /// The tags that are not signed as the policy asks, and of which that was not said before.
    pub refused: Vec<TagName>,
    /// What was left undone on purpose, if the run before did not say the same.
    pub warning: Option<Warning>,
}

/// When.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// An attempt began.
    Started,
    /// It waits for its registry.
    Waiting {
        /// Until when.
        until: Timestamp,
        /// Whether the run has waited before.
        again: bool,
    },
    /// An attempt ended.
    Ended {
        /// How.
        ending: Ending,
        /// How the run before ended that was not cancelled.
        before: Option<Ending>,
    },
    /// No run has mirrored everything for a while.
    Late {
        /// When the last one did, or the mirror was created.
        since: Timestamp,
        /// How many whole intervals ago that was.
        intervals: u64,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything is mirrored.
    Success,
    /// Something failed.
    Failure,
    /// Somebody cancelled it.
    Cancelled,
}

/// A place in a run: what is begun by a schedule or by hand, and every retry after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Whether there was none before.
    pub is_first: bool,
    /// Whether there will be none after it, should it fail.
    pub is_last: bool,
}

/// A tag that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTag {
    /// The tag.
    pub tag: TagName,
    /// Why.
    pub failure: Failure,
}

impl Happening {
    /// A moment of a run with one attempt, of which there is nothing more to say.
    pub fn new(moment: Moment) -> Self {
        Self {
            moment,
            attempt: Attempt { is_first: true, is_last: true },
            changes: Vec::new(),
            failure: None,
            failed: Vec::new(),
            refused: Vec::new(),
            warning: None,
        }
    }

    /// The changes that somebody sees who pulls.
    pub(super) fn seen(&self) -> impl Iterator<Item = &TagChange> {
        self.changes.iter().filter(|change| change.change.is_seen())
    }

    /// The tags for which something waits at the gate that did not.
    pub(super) fn held(&self) -> impl Iterator<Item = &TagName> {
        self.changes.iter().filter(|change| change.change == ChangeKind::Held).map(|change| &change.tag)
    }

    /// Every reason for which something failed.
    pub(super) fn reasons(&self) -> impl Iterator<Item = FailureReason> {
        let tags = self.failed.iter().map(|failed| failed.failure.reason);
        self.failure.iter().map(|failure| failure.reason).chain(tags)
    }

    /// Whether it is that something failed.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self.moment, Moment::Ended { ending: Ending::Failure, .. } | Moment::Late { .. })
    }

    /// Whether it is that nothing fails any more.
    pub(super) fn is_recovery(&self) -> bool {
        matches!(self.moment, Moment::Ended { ending: Ending::Success, before: Some(Ending::Failure) })
    }

    /// Whether deletions wait for somebody.
    pub(super) fn has_held_deletions(&self) -> bool {
        matches!(self.warning, Some(Warning::DeletionsHeld { .. } | Warning::ListEmpty { .. }))
    }
}

impl FailedTag {
    /// What became of a tag, if it failed.
    pub fn of(outcome: &TagOutcome) -> Option<Self> {
        Some(Self { tag: outcome.tag.clone(), failure: outcome.failure.clone()? })
    }
}
