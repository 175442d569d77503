//! The transitions: from one state, and the time, to the next.

#[cfg(test)]
mod tests;

use std::time::Duration;

use uuid::Uuid;

use super::{MAX_SYNC_RETRIES, NotEligible, SyncState, SyncStatus};
use crate::{
    NoListing, Remedy, Timestamp, Warning,
    failure::Failure,
    grid::next_start,
    pause::Pause,
    run::{RunId, RunStatus},
    target::Target,
};

/// How much of a failure's message is kept with the state: the run has all of it.
const MAX_MESSAGE: usize = 500;

/// How a sync ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncEnd {
    /// Every selected tag is mirrored.
    Success,
    /// Something failed.
    Fail,
}

/// What a sync found that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// When it began.
    pub began: Timestamp,
    /// What it left undone on purpose.
    pub warning: Option<Warning>,
    /// Whether it looked at everything that the tags reference.
    pub verified: bool,
    /// How many tags it has selected, if it selects any.
    pub tags: Option<u64>,
    /// Whether its registry has no listing that says digests, as far as that is known.
    pub no_listing: Option<NoListing>,
}

impl SyncState {
    /// The state between two invocations of one sync: still running, but anybody may take over at once.
    #[must_use]
    pub fn hand_over(&self, now: Timestamp, id: Uuid) -> Self {
        Self {
            sync_transaction_id: id,
            sync_expiration_date: Some(now),
            sync_handed_over: true,
            sync_waits: 0,
            ..self.clone()
        }
    }

    /// The state of a sync that waits for its registry until a moment: still running, and nobody may take over before.
    #[must_use]
    pub fn wait(&self, until: Timestamp, id: Uuid) -> Self {
        Self {
            sync_transaction_id: id,
            sync_expiration_date: Some(until),
            sync_waiting_until: Some(until),
            sync_handed_over: true,
            sync_waits: self.sync_waits.saturating_add(1),
            ..self.clone()
        }
    }

    /// The state of a sync that waited for its registry and shall not any longer: anybody may take over at once. `None` if
    /// none waits.
    pub fn end_wait(&self, now: Timestamp, id: Uuid) -> Option<Self> {
        self.is_waiting(now).then(|| Self { sync_waiting_until: None, ..self.hand_over(now, id) })
    }

    /// The state after the bucket and the table were brought to say the same of all tags.
    #[must_use]
    pub fn settled(self) -> Self {
        Self { sync_unsettled: None, ..self }
    }

    /// The state after a sync that ended by itself.
    #[must_use]
    pub fn release(&self, end: SyncEnd, interval: u64, now: Timestamp, id: Uuid) -> Self {
        if let Some(before) = self.sync_hinted {
            return self.as_before(before, id);
        }
        let left = self.sync_retries_remaining.saturating_sub(1);
        let again = end == SyncEnd::Fail && left > 0;
        // A start within the slack counts as served, or the sync that it stands for would run twice.
        let served = if self.is_due(now) { now.max(self.sync_start_date) } else { now };
        Self {
            sync_status: match end {
                SyncEnd::Success => SyncStatus::Success,
                SyncEnd::Fail => SyncStatus::Fail,
            },
            sync_transaction_id: id,
            sync_expiration_date: None,
            sync_retries_remaining: if again { left } else { MAX_SYNC_RETRIES },
            sync_start_date: if again {
                self.sync_start_date
            } else {
                next_start(self.sync_start_date, interval, served)
            },
            sync_run_id: None,
            sync_waiting_until: None,
            last_ended: Some(now),
            last_failure: None,
            last_remedy: None,
            // As where it is stopped.
            verify_requested: self.verify_requested || (end == SyncEnd::Fail && self.rollback.is_some()),
            recent_runs: self.recent_runs.clone().and(match end {
                SyncEnd::Success => RunStatus::Success,
                SyncEnd::Fail => RunStatus::Fail,
            }),
            ..self.at_rest()
        }
    }

    /// The state after a sync of hinted tags: where it stood before.
    fn as_before(&self, status: SyncStatus, id: Uuid) -> Self {
        Self {
            sync_status: status,
            sync_transaction_id: id,
            sync_expiration_date: None,
            sync_run_id: None,
            sync_waiting_until: None,
            ..self.at_rest()
        }
    }

    /// The state with why the sync failed, for people, and what they can do about it.
    #[must_use]
    pub fn because(self, failure: Option<(&Failure, Remedy)>) -> Self {
        Self {
            last_failure: failure.map(|(failure, _)| failure.message.chars().take(MAX_MESSAGE).collect()),
            last_remedy: failure.map(|(_, remedy)| remedy),
            ..self
        }
    }

    /// The state with what a sync found that came to its end. One that did not says nothing new.
    #[must_use]
    pub fn with(self, findings: Findings) -> Self {
        let began = Some(findings.began);
        let succeeded = self.sync_status == SyncStatus::Success;
        Self {
            last_complete: began,
            sync_warning: findings.warning,
            last_success: if succeeded { began } else { self.last_success },
            last_verified: if findings.verified { began } else { self.last_verified },
            verify_requested: self.verify_requested && !findings.verified,
            last_tags: findings.tags.or(self.last_tags),
            no_listing: findings.no_listing,
            ..self
        }
    }

    /// Whether a sync that begins now is to look at everything that the tags reference: because it was asked for, or
    /// because `interval` has gone by since the last time, or since the mirror was created.
    pub fn verify_due(&self, created: Timestamp, interval: Duration, now: Timestamp) -> bool {
        self.verify_requested || self.last_verified.unwrap_or(created).plus(interval) <= now
    }

    /// When the schedule starts a sync for the first time after a moment.
    pub fn start_after(&self, interval: u64, after: Timestamp) -> Timestamp {
        if self.sync_start_date > after {
            self.sync_start_date
        } else {
            next_start(self.sync_start_date, interval, after)
        }
    }

    /// How long after a failure to retry, if tries are left and the start has come: `backoff`, doubled each time.
    pub fn retry_delay(&self, now: Timestamp, backoff: Duration) -> Option<Duration> {
        let used = MAX_SYNC_RETRIES.saturating_sub(self.sync_retries_remaining);
        let pending = self.sync_status == SyncStatus::Fail && used > 0 && self.is_due(now) && !self.is_paused(now);
        pending.then(|| backoff.saturating_mul(1 << (used - 1).min(MAX_SYNC_RETRIES)))
    }

    /// Sync Now: refused while a sync runs, or the mirror is paused, or tags are to be turned back; else pending at once, with
    /// at least one try. One that waits for its registry goes on now. A run that was left long ago is not gone on with.
    pub fn sync_now(&self, now: Timestamp, id: Uuid) -> Result<Self, NotEligible> {
        if self.is_running(now) && !self.is_waiting(now) || self.rollback.is_some() {
            return Err(NotEligible::Running);
        }
        if self.is_paused(now) {
            return Err(NotEligible::Paused);
        }
        Ok(Self {
            sync_status: SyncStatus::SyncNow,
            sync_transaction_id: id,
            sync_expiration_date: None,
            sync_retries_remaining: self.sync_retries_remaining.max(1),
            // One of hinted tags is not what is asked for.
            sync_run_id: self.sync_run_id.filter(|_| self.is_recent(now) && self.sync_hinted.is_none()),
            sync_waiting_until: None,
            sync_requested_at: Some(now),
            ..self.at_rest()
        })
    }

    /// Verify: Sync Now, as the run `run`, which looks at everything that the tags reference.
    pub fn verify(&self, now: Timestamp, id: Uuid, run: RunId) -> Result<Self, NotEligible> {
        Ok(Self { sync_run_id: Some(run), verify_requested: true, ..self.sync_now(now, id)? })
    }

    /// Rollback: pending at once, as the run `run`, which turns the tags back. The mirror is paused from now on; without a
    /// `pause`, it is as before.
    pub fn roll_back(
        &self,
        now: Timestamp,
        id: Uuid,
        run: RunId,
        target: Target,
        pause: Option<Pause>,
    ) -> Result<Self, NotEligible> {
        let asked = Self { pause: None, ..self.clone() }.sync_now(now, id)?;
        Ok(Self { sync_run_id: Some(run), rollback: Some(target), pause: pause.or(self.pause), ..asked })
    }

    /// Resume: it is synced again. Not while something runs, which would lose its claim.
    pub fn resume(&self, now: Timestamp, id: Uuid) -> Result<Self, NotEligible> {
        if self.is_running(now) || self.rollback.is_some() {
            return Err(NotEligible::Running);
        }
        Ok(Self { pause: None, sync_transaction_id: id, ..self.clone() })
    }

    /// Cancel: takes the claim away from a running sync, or withdraws a pending one.
    pub fn cancel(&self, id: Uuid) -> Result<Self, NotEligible> {
        if !matches!(self.sync_status, SyncStatus::Syncing | SyncStatus::SyncNow) {
            return Err(NotEligible::NotRunning);
        }
        self.stop(id)
    }

    /// As [`Self::cancel`], but whatever the state is: what the cancellation of an organization's mirror does.
    pub fn stop(&self, id: Uuid) -> Result<Self, NotEligible> {
        if self.sync_status == SyncStatus::Cancel {
            return Err(NotEligible::NotRunning);
        }
        let left = self.left();
        let has_begun = self.sync_status == SyncStatus::Syncing;
        let recent = self.recent_runs.clone();
        Ok(Self {
            recent_runs: if has_begun { recent.and(RunStatus::Cancel) } else { recent },
            sync_status: SyncStatus::Cancel,
            sync_left_by: left.map(|left| left.by),
            sync_left_until: left.map(|left| left.until),
            sync_transaction_id: id,
            sync_expiration_date: None,
            sync_retries_remaining: 0,
            sync_run_id: None,
            sync_waiting_until: None,
            // Of tags that were being turned back when it ended, the bucket may say something else than the table.
            verify_requested: self.verify_requested || (has_begun && self.rollback.is_some()),
            ..self.at_rest()
        })
    }

    /// The state without what is said only of a sync that has begun, or is pending.
    fn at_rest(&self) -> Self {
        Self {
            sync_trigger: None,
            sync_requested_at: None,
            sync_handed_over: false,
            sync_interruptions: 0,
            sync_waits: 0,
            rollback: None,
            sync_hinted: None,
            ..self.clone()
        }
    }
}
