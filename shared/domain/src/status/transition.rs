//! The transitions: from one state, and the time, to the next.

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

    /// Sync Now: refused while a sync runs, or the mirror is paused; else pending at once, with at least one try. One that
    /// waits for its registry goes on now. A run that was left long ago is not gone on with.
    pub fn sync_now(&self, now: Timestamp, id: Uuid) -> Result<Self, NotEligible> {
        if self.is_running(now) && !self.is_waiting(now) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        run::Trigger,
        status::claim::tests::{at, claim, state},
    };

    const DAY: u64 = 86_400;

    #[test]
    fn a_sync_verifies_when_asked_and_once_in_a_while() {
        let (created, week) = (at("2026-01-01T00:00:00Z"), Duration::from_secs(7 * 86_400));
        let new = SyncState::new(created, Uuid::nil());
        assert!(!new.verify_due(created, week, at("2026-01-07T23:59:59Z")));
        assert!(new.verify_due(created, week, at("2026-01-08T00:00:00Z")));
        let now = at("2026-01-02T00:00:00Z");
        let asked = new.verify(now, Uuid::nil(), RunId(Uuid::max())).unwrap();
        assert_eq!((asked.sync_status, asked.sync_run_id), (SyncStatus::SyncNow, Some(RunId(Uuid::max()))));
        assert!(asked.verify_due(created, week, now));
        let claimed = claim(&asked, true, Trigger::Verify, "2026-01-02T00:00:00Z").unwrap();
        assert_eq!(claimed.sync_run_id, Some(RunId(Uuid::max())), "the run that was announced");
        assert!(claimed.verify(now, Uuid::nil(), RunId(Uuid::nil())).is_err(), "one at a time");
        let failed = claimed.release(SyncEnd::Fail, DAY, now, Uuid::nil());
        assert!(failed.verify_due(created, week, now), "it is still to be done");
        let done = failed.with(Findings { began: now, warning: None, verified: true, tags: Some(7), no_listing: None });
        assert!(!done.verify_due(created, week, now));
        assert_eq!((done.last_verified, done.last_success, done.last_tags), (Some(now), None, Some(7)));
        let runs = done.recent_runs.iter().collect::<Vec<_>>();
        assert_eq!(runs, [RunStatus::Fail]);
        let stopped = SyncState { sync_status: SyncStatus::Syncing, ..done }.cancel(Uuid::nil()).unwrap();
        assert_eq!(stopped.recent_runs.iter().last(), Some(RunStatus::Cancel), "it had begun");
        let asked = stopped.sync_now(now, Uuid::nil()).unwrap().cancel(Uuid::nil()).unwrap();
        assert_eq!(asked.recent_runs, stopped.recent_runs, "it had not");
    }

    #[test]
    fn what_was_turned_back_stays_so_until_somebody_resumes_it() {
        let start = at("2026-01-10T00:00:00Z");
        let (run, id) = (RunId(Uuid::max()), Uuid::nil());
        let target = Target { at: start, run_id: None, tags: None, by_organization: false };
        let pause = Some(Pause { since: start, until: None });
        let idle = state(SyncStatus::Success, "2026-01-10T00:00:00Z");
        let asked = idle.roll_back(start, id, run, target.clone(), pause).unwrap();
        assert_eq!((asked.sync_status, asked.sync_run_id), (SyncStatus::SyncNow, Some(run)));
        assert_eq!(asked.rollback, Some(target.clone()));
        let claimed = claim(&asked, true, Trigger::Rollback, "2026-01-10T00:00:00Z").unwrap();
        assert_eq!((claimed.sync_run_id, &claimed.rollback), (Some(run), &Some(target.clone())));
        assert_eq!(claimed.roll_back(start, id, run, target.clone(), pause), Err(NotEligible::Running));
        assert!(
            claim(&claimed, true, Trigger::Schedule, "2026-01-10T00:10:00Z").is_ok(),
            "one that was killed goes on"
        );
        let failed = claimed.release(SyncEnd::Fail, DAY, start, id);
        assert_eq!(
            (&failed.rollback, failed.retry_delay(start, Duration::ZERO)),
            (&None, None),
            "it is not tried again"
        );
        for trigger in [Trigger::Schedule, Trigger::Retry, Trigger::Organization, Trigger::Hold] {
            let refused = claim(&failed, true, trigger, "2026-01-11T00:00:00Z");
            assert_eq!(refused, Err(NotEligible::Paused), "{trigger:?}");
        }
        assert_eq!(failed.sync_now(start, id), Err(NotEligible::Paused));
        assert_eq!(failed.verify(start, id, run), Err(NotEligible::Paused));
        let undone = failed.roll_back(start, id, run, target, None).unwrap();
        assert_eq!(undone.pause, pause, "it stays paused");
        assert_eq!(claimed.resume(start, id), Err(NotEligible::Running));
        let resumed = failed.resume(start, id).unwrap();
        assert!(resumed.sync_now(start, id).is_ok());
        assert!(claim(&resumed, true, Trigger::Schedule, "2026-01-11T00:00:00Z").is_ok());
        let until = Some(Pause { since: start, until: Some(at("2026-01-11T00:00:00Z")) });
        let paused = SyncState { pause: until, ..failed };
        assert!(claim(&paused, true, Trigger::Schedule, "2026-01-11T00:00:00Z").is_ok(), "or until it is time");
    }

    #[test]
    fn failures_are_tried_three_times_and_then_wait_for_the_next_start() {
        let (start, backoff) = (at("2026-01-10T00:00:00Z"), Duration::from_secs(60));
        let now = start.plus(Duration::from_secs(600));
        let first = SyncState::new(start, Uuid::nil()).release(SyncEnd::Fail, DAY, now, Uuid::nil());
        assert_eq!((first.sync_retries_remaining, first.sync_start_date), (2, start));
        assert_eq!(first.retry_delay(now, backoff), Some(backoff));
        let second = first.release(SyncEnd::Fail, DAY, now, Uuid::nil());
        assert_eq!(second.retry_delay(now, backoff), Some(backoff * 2));
        let third = second.release(SyncEnd::Fail, DAY, now, Uuid::nil());
        assert_eq!((third.sync_status, third.sync_retries_remaining), (SyncStatus::Fail, 3));
        assert_eq!(third.sync_start_date, at("2026-01-11T00:00:00Z"));
        assert_eq!(third.retry_delay(now, backoff), None);
    }

    #[test]
    fn success_moves_to_the_next_start_once() {
        let start = at("2026-01-10T00:00:00Z");
        for (now, next) in [
            ("2026-01-10T02:00:00Z", "2026-01-11T00:00:00Z"),
            ("2026-01-09T23:59:30Z", "2026-01-11T00:00:00Z"),
            ("2026-01-09T23:00:00Z", "2026-01-10T00:00:00Z"),
        ] {
            let released = SyncState::new(start, Uuid::nil()).release(SyncEnd::Success, DAY, at(now), Uuid::nil());
            assert_eq!(released.sync_start_date, at(next), "{now}");
            assert_eq!(released.sync_retries_remaining, MAX_SYNC_RETRIES);
        }
    }

    #[test]
    fn the_next_start_is_no_earlier_than_the_first() {
        let state = SyncState::new(at("2026-01-10T00:00:00Z"), Uuid::nil());
        for (after, next) in [
            ("2026-01-03T01:00:00Z", "2026-01-10T00:00:00Z"),
            ("2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z"),
            ("2026-01-12T23:59:59Z", "2026-01-13T00:00:00Z"),
        ] {
            assert_eq!(state.start_after(DAY, at(after)), at(next), "{after}");
        }
    }

    #[test]
    fn cancel_ends_everything_until_sync_now() {
        let start = "2026-01-10T00:00:00Z";
        let cancelled = state(SyncStatus::Syncing, start).cancel(Uuid::max()).unwrap();
        assert_eq!((cancelled.sync_status, cancelled.sync_retries_remaining), (SyncStatus::Cancel, 0));
        assert_eq!(cancelled.cancel(Uuid::max()), Err(NotEligible::NotRunning));
        assert_eq!(cancelled.stop(Uuid::max()), Err(NotEligible::NotRunning));
        let idle = state(SyncStatus::Success, start);
        assert_eq!(idle.cancel(Uuid::max()), Err(NotEligible::NotRunning));
        assert_eq!(idle.stop(Uuid::max()).unwrap().sync_status, SyncStatus::Cancel, "with its organization");
        let again = cancelled.sync_now(at(start), Uuid::max()).unwrap();
        assert_eq!((again.sync_status, again.sync_retries_remaining), (SyncStatus::SyncNow, 1));
        assert!(claim(&again, true, Trigger::SyncNow, start).is_ok());
    }
}
