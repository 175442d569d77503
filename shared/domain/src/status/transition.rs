//! The transitions: from one state, and the time, to the next.

use std::time::Duration;

use uuid::Uuid;

use super::{MAX_SYNC_RETRIES, RESUME_WINDOW, SyncState, SyncStatus};
use crate::{
    Timestamp, Warning,
    grid::next_start,
    run::{RunId, Trigger},
};

/// What a new claim is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewClaim {
    /// Its transaction id.
    pub transaction: Uuid,
    /// When it ends unless it is renewed.
    pub expiration: Timestamp,
    /// The run, if there is none to go on with.
    pub run: RunId,
}

/// Why a sync does not start, or a call is refused. None is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotEligible {
    /// A sync holds a claim that has not expired.
    #[error("a sync is running")]
    Running,
    /// Cancelled; only Sync Now starts it again.
    #[error("the mirror was cancelled")]
    Cancelled,
    /// The schedule is off.
    #[error("the mirror is disabled")]
    Disabled,
    /// The next start lies ahead: this delivery came twice, or early.
    #[error("the next start is not due")]
    NotDue,
    /// All attempts were used up.
    #[error("no attempts remain")]
    NoRetries,
    /// Sync Now was not asked for, or has been served.
    #[error("no Sync Now is pending")]
    NotRequested,
    /// The repository is not in the state MIRROR.
    #[error("the repository is not a mirror at present")]
    NotMirror,
    /// A collector prunes the repository, for some seconds.
    #[error("the repository is being pruned")]
    Pruning,
    /// There is nothing to cancel.
    #[error("no sync is running or pending")]
    NotRunning,
}

/// How a sync ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncEnd {
    /// Every selected tag is mirrored.
    Success,
    /// Something failed.
    Fail,
}

/// What a sync found that came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Findings {
    /// When it began.
    pub began: Timestamp,
    /// What it left undone on purpose.
    pub warning: Option<Warning>,
    /// Whether it looked at everything that the tags reference.
    pub verified: bool,
}

impl SyncState {
    /// Claims the mirror for a sync.
    pub fn claim(
        &self,
        is_enabled: bool,
        trigger: Trigger,
        now: Timestamp,
        claim: NewClaim,
    ) -> Result<Self, NotEligible> {
        if self.is_running(now) {
            return Err(NotEligible::Running);
        }
        if self.pruning_until.is_some_and(|until| until > now) {
            return Err(NotEligible::Pruning);
        }
        let expired = self.sync_status == SyncStatus::Syncing;
        match trigger {
            // Sync Now ignores the schedule; and whatever comes first may serve a pending Sync Now.
            _ if self.sync_status == SyncStatus::SyncNow => {}
            // A killed sync is taken over by whatever comes next: it was eligible when it was claimed.
            _ if expired => {}
            Trigger::SyncNow | Trigger::Verify | Trigger::Continuation => return Err(NotEligible::NotRequested),
            Trigger::Schedule | Trigger::Retry => {
                if self.sync_status == SyncStatus::Cancel {
                    return Err(NotEligible::Cancelled);
                }
                if !is_enabled {
                    return Err(NotEligible::Disabled);
                }
                if !self.is_due(now) {
                    return Err(NotEligible::NotDue);
                }
                if self.sync_retries_remaining == 0 {
                    return Err(NotEligible::NoRetries);
                }
            }
        }
        let recent = self.sync_expiration_date.is_none_or(|expiration| now <= expiration.plus(RESUME_WINDOW));
        Ok(Self {
            sync_status: SyncStatus::Syncing,
            sync_transaction_id: claim.transaction,
            sync_expiration_date: Some(claim.expiration),
            sync_run_id: self.sync_run_id.filter(|_| recent).or(Some(claim.run)),
            sync_waiting_until: None,
            pruning_until: None,
            ..self.clone()
        })
    }

    /// Keeps syncs away while a collector prunes the repository; refused while one runs, or another collector prunes.
    pub fn prune(&self, until: Timestamp, now: Timestamp, id: Uuid) -> Result<Self, NotEligible> {
        if self.is_running(now) {
            return Err(NotEligible::Running);
        }
        if self.pruning_until.is_some_and(|until| until > now) {
            return Err(NotEligible::Pruning);
        }
        Ok(Self { sync_transaction_id: id, pruning_until: Some(until), ..self.clone() })
    }

    /// Lets syncs in again.
    #[must_use]
    pub fn pruned(&self, id: Uuid) -> Self {
        Self { sync_transaction_id: id, pruning_until: None, ..self.clone() }
    }

    /// The state between two invocations of one sync: still running, but anybody may take over at once.
    #[must_use]
    pub fn hand_over(&self, now: Timestamp, id: Uuid) -> Self {
        Self { sync_transaction_id: id, sync_expiration_date: Some(now), ..self.clone() }
    }

    /// The state of a sync that waits for its registry until a moment: still running, and nobody may take over before.
    #[must_use]
    pub fn wait(&self, until: Timestamp, id: Uuid) -> Self {
        Self {
            sync_transaction_id: id,
            sync_expiration_date: Some(until),
            sync_waiting_until: Some(until),
            ..self.clone()
        }
    }

    /// The state after a sync that ended by itself.
    #[must_use]
    pub fn release(&self, end: SyncEnd, interval: u64, now: Timestamp, id: Uuid) -> Self {
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
            ..self.clone()
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
            ..self
        }
    }

    /// Whether a sync that begins now is to look at everything that the tags reference: because it was asked for, or
    /// because `interval` has gone by since the last time, or since the mirror was created.
    pub fn verify_due(&self, created: Timestamp, interval: Duration, now: Timestamp) -> bool {
        self.verify_requested || self.last_verified.unwrap_or(created).plus(interval) <= now
    }

    /// When to try again after a failure, if attempts are left and the start has come: `backoff`, doubled each time.
    pub fn retry_delay(&self, now: Timestamp, backoff: Duration) -> Option<Duration> {
        let used = MAX_SYNC_RETRIES.saturating_sub(self.sync_retries_remaining);
        let pending = self.sync_status == SyncStatus::Fail && used > 0 && self.is_due(now);
        pending.then(|| backoff.saturating_mul(1 << (used - 1).min(MAX_SYNC_RETRIES)))
    }

    /// Sync Now: refused while a sync runs; else pending at once, with at least one attempt.
    pub fn sync_now(&self, now: Timestamp, id: Uuid) -> Result<Self, NotEligible> {
        if self.is_running(now) {
            return Err(NotEligible::Running);
        }
        Ok(Self {
            sync_status: SyncStatus::SyncNow,
            sync_transaction_id: id,
            sync_expiration_date: None,
            sync_retries_remaining: self.sync_retries_remaining.max(1),
            sync_waiting_until: None,
            ..self.clone()
        })
    }

    /// Verify: Sync Now, as the run `run`, which looks at everything that the tags reference.
    pub fn verify(&self, now: Timestamp, id: Uuid, run: RunId) -> Result<Self, NotEligible> {
        Ok(Self { sync_run_id: Some(run), verify_requested: true, ..self.sync_now(now, id)? })
    }

    /// Cancel: takes the claim away from a running sync, or withdraws a pending one.
    pub fn cancel(&self, id: Uuid) -> Result<Self, NotEligible> {
        if !matches!(self.sync_status, SyncStatus::Syncing | SyncStatus::SyncNow) {
            return Err(NotEligible::NotRunning);
        }
        Ok(Self {
            sync_status: SyncStatus::Cancel,
            sync_transaction_id: id,
            sync_expiration_date: None,
            sync_retries_remaining: 0,
            sync_run_id: None,
            sync_waiting_until: None,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_iso(text).unwrap()
    }

    fn state(status: SyncStatus, start: &str) -> SyncState {
        SyncState { sync_status: status, ..SyncState::new(at(start), Uuid::nil()) }
    }

    fn claim(state: &SyncState, enabled: bool, trigger: Trigger, now: &str) -> Result<SyncState, NotEligible> {
        let claim = NewClaim {
            transaction: Uuid::max(),
            expiration: at(now).plus(Duration::from_secs(120)),
            run: RunId(Uuid::from_u128(u128::from(at(now).unix().unsigned_abs()))),
        };
        state.claim(enabled, trigger, at(now), claim)
    }

    #[test]
    fn who_may_claim() {
        use SyncStatus as S;
        use Trigger as T;
        let (before, start, after) = ("2026-01-09T12:00:00Z", "2026-01-10T00:00:00Z", "2026-01-10T01:00:00Z");
        for (status, enabled, trigger, now, expected) in [
            (S::NeverRun, true, T::Schedule, after, Ok(())),
            (S::NeverRun, true, T::Schedule, "2026-01-09T23:59:30Z", Ok(())),
            (S::NeverRun, true, T::Schedule, before, Err(NotEligible::NotDue)),
            (S::NeverRun, false, T::Schedule, after, Err(NotEligible::Disabled)),
            (S::NeverRun, true, T::SyncNow, after, Err(NotEligible::NotRequested)),
            (S::SyncNow, false, T::SyncNow, before, Ok(())),
            (S::SyncNow, false, T::Schedule, before, Ok(())),
            (S::Success, true, T::SyncNow, after, Err(NotEligible::NotRequested)),
            (S::Fail, true, T::Retry, after, Ok(())),
            (S::Fail, false, T::Retry, after, Err(NotEligible::Disabled)),
            (S::Cancel, true, T::Schedule, after, Err(NotEligible::Cancelled)),
        ] {
            let result = claim(&state(status, start), enabled, trigger, now).map(|_| ());
            assert_eq!(result, expected, "{status:?} {enabled} {trigger:?} {now}");
        }
    }

    #[test]
    fn one_claims_and_an_expired_claim_is_taken_over() {
        let start = "2026-01-10T00:00:00Z";
        let claimed = claim(&state(SyncStatus::NeverRun, start), true, Trigger::Schedule, start).unwrap();
        assert_eq!(claim(&claimed, true, Trigger::Schedule, "2026-01-10T00:01:59Z"), Err(NotEligible::Running));
        assert_eq!(claimed.sync_now(at("2026-01-10T00:01:59Z"), Uuid::max()), Err(NotEligible::Running));
        for trigger in [Trigger::Schedule, Trigger::Retry, Trigger::SyncNow, Trigger::Continuation] {
            assert!(claim(&claimed, false, trigger, "2026-01-10T00:02:00Z").is_ok());
        }
        assert!(claimed.sync_now(at("2026-01-10T00:02:00Z"), Uuid::max()).is_ok());
    }

    #[test]
    fn a_run_goes_on_in_the_next_claim_but_not_for_ever() {
        let start = "2026-01-10T00:00:00Z";
        let first = claim(&state(SyncStatus::NeverRun, start), true, Trigger::Schedule, start).unwrap();
        let handed = first.hand_over(at("2026-01-10T00:01:00Z"), Uuid::nil());
        let next = claim(&handed, true, Trigger::Continuation, "2026-01-10T00:01:00Z").unwrap();
        assert_eq!(next.sync_run_id, first.sync_run_id, "handed over");
        let sync_now = first.sync_now(at("2026-01-10T00:30:00Z"), Uuid::nil()).unwrap();
        let next = claim(&sync_now, true, Trigger::SyncNow, "2026-01-10T00:30:00Z").unwrap();
        assert_eq!(next.sync_run_id, first.sync_run_id, "killed, and taken over by Sync Now");
        let next = claim(&first, true, Trigger::Schedule, "2026-01-11T00:00:00Z").unwrap();
        assert_ne!(next.sync_run_id, first.sync_run_id, "a day later");
        assert_eq!(first.release(SyncEnd::Success, DAY, at(start), Uuid::nil()).sync_run_id, None);
        assert_eq!(first.cancel(Uuid::nil()).unwrap().sync_run_id, None);
    }

    #[test]
    fn a_sync_that_waits_is_left_alone_until_then() {
        let start = "2026-01-10T00:00:00Z";
        let claimed = claim(&state(SyncStatus::NeverRun, start), true, Trigger::Schedule, start).unwrap();
        let (until, id) = ("2026-01-10T06:00:00Z", Uuid::nil());
        let waiting = claimed.wait(at(until), id);
        assert_eq!((waiting.sync_status, waiting.sync_waiting_until), (SyncStatus::Syncing, Some(at(until))));
        for trigger in [Trigger::Schedule, Trigger::Continuation, Trigger::SyncNow] {
            assert_eq!(claim(&waiting, true, trigger, "2026-01-10T05:59:59Z"), Err(NotEligible::Running));
        }
        let next = claim(&waiting, true, Trigger::Continuation, until).unwrap();
        assert_eq!((next.sync_run_id, next.sync_waiting_until), (claimed.sync_run_id, None), "the run goes on");
        assert_eq!(waiting.cancel(id).unwrap().sync_waiting_until, None);
    }

    #[test]
    fn syncs_and_pruning_keep_out_of_each_others_way() {
        let (start, until) = ("2026-01-10T00:00:00Z", "2026-01-10T00:01:00Z");
        let idle = state(SyncStatus::Success, start);
        let pruning = idle.prune(at(until), at(start), Uuid::nil()).unwrap();
        assert_eq!(pruning.sync_status, SyncStatus::Success, "nobody sees it");
        assert_eq!(claim(&pruning, true, Trigger::Schedule, start), Err(NotEligible::Pruning));
        assert_eq!(pruning.prune(at(until), at(start), Uuid::nil()), Err(NotEligible::Pruning));
        assert!(
            claim(&pruning, true, Trigger::Schedule, until).is_ok(),
            "a collector that was killed keeps nobody out"
        );
        let claimed = claim(&pruning.pruned(Uuid::nil()), true, Trigger::Schedule, start).unwrap();
        assert_eq!(claimed.prune(at(until), at(start), Uuid::nil()), Err(NotEligible::Running));
    }

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
        let done = failed.with(Findings { began: now, warning: None, verified: true });
        assert!(!done.verify_due(created, week, now));
        assert_eq!((done.last_verified, done.last_success), (Some(now), None));
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
    fn cancel_ends_everything_until_sync_now() {
        let start = "2026-01-10T00:00:00Z";
        let cancelled = state(SyncStatus::Syncing, start).cancel(Uuid::max()).unwrap();
        assert_eq!((cancelled.sync_status, cancelled.sync_retries_remaining), (SyncStatus::Cancel, 0));
        assert_eq!(cancelled.cancel(Uuid::max()), Err(NotEligible::NotRunning));
        let again = cancelled.sync_now(at(start), Uuid::max()).unwrap();
        assert_eq!((again.sync_status, again.sync_retries_remaining), (SyncStatus::SyncNow, 1));
        assert!(claim(&again, true, Trigger::SyncNow, start).is_ok());
    }
}
