//! The status machine of a mirror: Quay's, with its known traps closed.
//!
//! ```text
//! NEVER_RUN ──claim──▶ SYNCING ──▶ SUCCESS | FAIL ──claim──▶ …
//!     any but SYNCING that does not wait ──sync now──▶ SYNC_NOW ──claim──▶ SYNCING
//!     SYNCING, SYNC_NOW ──cancel──▶ CANCEL ──sync now──▶ SYNC_NOW
//!     any but SYNCING ──rollback──▶ SYNC_NOW, paused ──resume──▶ not paused
//! ```
//! While a mirror is paused, only what was asked for before or is no sync is claimed.
//! Every transition takes the present state and the time and gives the next state; the table writes it only if the
//! transaction id is still the one that was read. Unlike Quay's, an expired claim can be taken over by any trigger.

mod claim;
mod interruption;
mod recent;
mod transition;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    NoListing, Remedy, Timestamp, Warning,
    pause::Pause,
    run::{RunId, Trigger},
    target::Target,
};

pub use claim::{NewClaim, NotEligible};
pub use interruption::MAX_INTERRUPTIONS;
pub use recent::RecentRuns;
pub use transition::{Findings, SyncEnd};

/// How often a failing sync is tried before it waits for its next start, as in Quay.
pub const MAX_SYNC_RETRIES: u32 = 3;
/// How far ahead of its start a scheduled sync may run: EventBridge Scheduler's precision. Without it a clock that is
/// a little slow would skip a whole interval.
pub const START_SLACK: Duration = Duration::from_secs(60);
/// How long after its claim ended a run is gone on with. Later its outcomes say too little of the registry as it is now,
/// and a new run begins.
pub const RESUME_WINDOW: Duration = Duration::from_secs(3600);

/// Quay's `sync_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SyncStatus {
    /// Created, not synced yet.
    NeverRun,
    /// Asked for by Sync Now, not started yet.
    SyncNow,
    /// Running, if its claim has not expired.
    Syncing,
    /// The last sync copied everything.
    Success,
    /// The last sync failed, in part or as a whole.
    Fail,
    /// Cancelled; nothing runs until Sync Now.
    Cancel,
}

impl SyncStatus {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverRun => "NEVER_RUN",
            Self::SyncNow => "SYNC_NOW",
            Self::Syncing => "SYNCING",
            Self::Success => "SUCCESS",
            Self::Fail => "FAIL",
            Self::Cancel => "CANCEL",
        }
    }
}

/// Whose changes of tags may be in the bucket alone, because the table was not told of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsettled {
    /// Those of whoever has claimed the mirror last, unless they end in order.
    Latest,
    /// Those of somebody before: who claims the mirror has to look.
    Earlier,
}

/// The part of a mirror that syncs change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncState {
    /// Where the mirror stands.
    pub sync_status: SyncStatus,
    /// The fencing token: whoever changes the state rolls it, and only its holder may write.
    pub sync_transaction_id: Uuid,
    /// When a running sync's claim ends unless it is renewed.
    pub sync_expiration_date: Option<Timestamp>,
    /// How many tries are left before the next start.
    pub sync_retries_remaining: u32,
    /// The next start, and by it the grid of all starts.
    pub sync_start_date: Timestamp,
    /// The run that the claim is for; kept when a sync goes on in another invocation, or is taken over.
    pub sync_run_id: Option<RunId>,
    /// When the last sync began that came to its end, whatever became of single tags: it looked at every tag.
    pub last_complete: Option<Timestamp>,
    /// What that sync left undone on purpose.
    pub sync_warning: Option<Warning>,
    /// When the last sync began that mirrored everything.
    #[serde(default)]
    pub last_success: Option<Timestamp>,
    /// When the last sync began that looked at everything the tags reference, or when the mirror was new.
    #[serde(default)]
    pub last_verified: Option<Timestamp>,
    /// Whether the next sync is to look at everything that the tags reference.
    #[serde(default)]
    pub verify_requested: bool,
    /// The run from which the claim was taken away last, by its transaction id.
    #[serde(default)]
    pub sync_left_by: Option<Uuid>,
    /// Until when it may still write, if it has not noticed: nobody else begins before.
    #[serde(default)]
    pub sync_left_until: Option<Timestamp>,
    /// Until when a running sync waits for its registry's rate limit.
    #[serde(default)]
    pub sync_waiting_until: Option<Timestamp>,
    /// When the last sync ended, however it did.
    #[serde(default)]
    pub last_ended: Option<Timestamp>,
    /// Why it failed, if it did.
    #[serde(default)]
    pub last_failure: Option<String>,
    /// What can be done about that.
    #[serde(default)]
    pub last_remedy: Option<Remedy>,
    /// What the sync that holds the claim was started by.
    #[serde(default)]
    pub sync_trigger: Option<Trigger>,
    /// When the sync was asked for that is pending.
    #[serde(default)]
    pub sync_requested_at: Option<Timestamp>,
    /// Whether the claim was given up for an invocation that is on its way: it did not expire.
    #[serde(default)]
    pub sync_handed_over: bool,
    /// How many claims in a row expired whose holders had got nowhere: they were killed.
    #[serde(default)]
    pub sync_interruptions: u32,
    /// How often in a row the sync has waited for its registry: a run counts for itself which of its waits were in vain, a
    /// discovery has nothing else to go by.
    #[serde(default)]
    pub sync_waits: u32,
    /// How the last syncs ended.
    #[serde(default)]
    pub recent_runs: RecentRuns,
    /// How many tags the last sync that came to its end has selected.
    #[serde(default)]
    pub last_tags: Option<u64>,
    /// Whether its registry was found to have no listing that says digests.
    #[serde(default)]
    pub no_listing: Option<NoListing>,
    /// To what the tags are to be turned back, if the run that is pending or runs is no sync.
    #[serde(default)]
    pub rollback: Option<Target>,
    /// That nothing is synced at present.
    #[serde(default)]
    pub pause: Option<Pause>,
    /// The status before the sync that holds the claim, if that asks for hinted tags only: it says nothing of the mirror as
    /// a whole, which stands where it stood when that has ended.
    #[serde(default)]
    pub sync_hinted: Option<SyncStatus>,
    /// Whether tags may be others in the bucket than the table says.
    #[serde(default)]
    pub sync_unsettled: Option<Unsettled>,
}

impl SyncState {
    /// The state of a new mirror.
    pub fn new(start: Timestamp, transaction_id: Uuid) -> Self {
        Self {
            sync_status: SyncStatus::NeverRun,
            sync_transaction_id: transaction_id,
            sync_expiration_date: None,
            sync_retries_remaining: MAX_SYNC_RETRIES,
            sync_start_date: start,
            sync_run_id: None,
            last_complete: None,
            sync_warning: None,
            last_success: None,
            last_verified: None,
            verify_requested: false,
            sync_waiting_until: None,
            sync_left_by: None,
            sync_left_until: None,
            last_ended: None,
            last_failure: None,
            last_remedy: None,
            sync_trigger: None,
            sync_requested_at: None,
            sync_handed_over: false,
            sync_interruptions: 0,
            sync_waits: 0,
            recent_runs: RecentRuns::default(),
            last_tags: None,
            no_listing: None,
            rollback: None,
            pause: None,
            sync_hinted: None,
            sync_unsettled: None,
        }
    }

    /// Whether nothing may be synced.
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.pause.is_some_and(|pause| pause.lasts(now))
    }

    /// Whether a sync holds a claim that has not expired.
    pub fn is_running(&self, now: Timestamp) -> bool {
        self.sync_status == SyncStatus::Syncing && self.sync_expiration_date.is_some_and(|expiration| expiration > now)
    }

    /// Whether a sync has left its claim behind to keep everybody away until its registry allows it to go on: no process
    /// works on it.
    pub fn is_waiting(&self, now: Timestamp) -> bool {
        self.is_running(now) && self.sync_waiting_until.is_some_and(|until| until > now)
    }

    /// Whether the run of a claim that has ended is still to be gone on with.
    fn is_recent(&self, now: Timestamp) -> bool {
        self.sync_expiration_date.is_none_or(|expiration| now <= expiration.plus(RESUME_WINDOW))
    }

    /// Whether no sync runs or is asked for, and the schedule may start one.
    pub fn is_idle(&self) -> bool {
        !matches!(self.sync_status, SyncStatus::Syncing | SyncStatus::SyncNow | SyncStatus::Cancel)
    }

    /// Whether the scheduled start has come.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.sync_start_date <= now.plus(START_SLACK)
    }
}
