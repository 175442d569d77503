//! The lock of a repository: who may change what it holds, besides the syncs of its mirror, which have claims.
//!
//! A lock and a claim exclude each other, and so do two locks. Whoever has one stops working before it ends, so that one
//! who was killed keeps nobody out for longer, and one who was only slow changes nothing under somebody else's.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Timestamp,
    status::{SyncState, SyncStatus},
};

/// What a repository is locked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockKind {
    /// A collector takes out what no tag needs.
    Prune,
    /// A tag is changed by hand.
    Tag,
    /// The repository was deleted, and what is left of it goes.
    Purge,
}

/// A right to a repository, for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Who has it: only they give it up or prolong it.
    #[serde(rename = "lock_by")]
    pub by: Uuid,
    /// What for.
    #[serde(rename = "lock_kind")]
    pub kind: LockKind,
    /// When it ends, whatever became of them.
    #[serde(rename = "lock_until")]
    pub until: Timestamp,
}

impl Lock {
    /// Whether it still keeps others out.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.until > now
    }
}

/// A run from which the claim was taken away: until it has noticed, or its claim would have ended, it may still write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// The transaction id of its claim.
    pub by: Uuid,
    /// When its claim ends.
    pub until: Timestamp,
}

impl SyncState {
    /// What a run may still do if the claim is taken away now. One that waits for its registry does not run.
    pub fn left(&self) -> Option<Left> {
        if self.sync_status == SyncStatus::Syncing && self.sync_waiting_until.is_none() {
            return self.sync_expiration_date.map(|until| Left { by: self.sync_transaction_id, until });
        }
        Some(Left { by: self.sync_left_by?, until: self.sync_left_until? })
    }

    /// Whether a run from which the claim was taken away may still write.
    pub fn is_left(&self, now: Timestamp) -> bool {
        self.sync_left_until.is_some_and(|until| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    #[test]
    fn a_lock_ends_by_itself() {
        let lock = Lock { by: Uuid::max(), kind: LockKind::Prune, until: at(60) };
        assert!(lock.is_live(at(59)) && !lock.is_live(at(60)));
        let item = serde_json::to_value(lock).unwrap();
        assert_eq!(item["lock_kind"], "prune");
    }

    #[test]
    fn only_who_runs_leaves_something_behind() {
        let idle = SyncState::new(at(0), Uuid::nil());
        assert_eq!(idle.left(), None);
        let claimed = SyncState {
            sync_status: SyncStatus::Syncing,
            sync_transaction_id: Uuid::max(),
            sync_expiration_date: Some(at(100)),
            ..idle
        };
        let left = Left { by: Uuid::max(), until: at(100) };
        assert_eq!(claimed.left(), Some(left));
        assert_eq!(claimed.wait(at(500), Uuid::max()).left(), None);
        let cancelled = claimed.cancel(Uuid::nil()).unwrap();
        assert_eq!(cancelled.left(), Some(left), "until it has noticed");
        assert!(cancelled.is_left(at(99)) && !cancelled.is_left(at(100)));
    }
}
