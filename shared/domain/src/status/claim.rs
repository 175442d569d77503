//! Who may have a mirror: one sync at a time.

use uuid::Uuid;

use super::{SyncState, SyncStatus, Unsettled};
use crate::{
    Timestamp,
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
    /// Whether a run that begins is to ask for hinted tags only.
    pub is_hinted: bool,
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
    /// Its tags were turned back, and nobody has resumed it.
    #[error("the mirror is paused")]
    Paused,
    /// The schedule is off.
    #[error("the mirror is disabled")]
    Disabled,
    /// The next start lies ahead: this delivery came twice, or early.
    #[error("the next start is not due")]
    NotDue,
    /// It failed, and so did its retries: the next start is waited for.
    #[error("no retries remain")]
    NoRetries,
    /// Sync Now was not asked for, or has been served.
    #[error("no Sync Now is pending")]
    NotRequested,
    /// The repository is not in the state MIRROR.
    #[error("the repository is not a mirror at present")]
    NotMirror,
    /// The repository is locked, or a run that was ended has not noticed yet: for some seconds.
    #[error("the repository is in use")]
    Locked,
    /// As many syncs of the namespace run as may; this one comes again.
    #[error("the namespace has no free slot for another sync at present")]
    Crowded,
    /// There is nothing to cancel.
    #[error("no sync is running or pending")]
    NotRunning,
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
        if self.is_left(now) {
            return Err(NotEligible::Locked);
        }
        let expired = self.sync_status == SyncStatus::Syncing;
        match trigger {
            // What was asked for, or was killed, is more than some tags, and others see to it. What was hinted at is not
            // forgotten, and its turn comes when that has ended.
            Trigger::Webhook if expired || self.sync_status == SyncStatus::SyncNow => return Err(NotEligible::Running),
            // Sync Now ignores the schedule; and whatever comes first may serve a pending Sync Now.
            _ if self.sync_status == SyncStatus::SyncNow => {}
            // A killed sync is taken over by whatever comes next: it was eligible when it was claimed.
            _ if expired => {}
            Trigger::SyncNow | Trigger::Verify | Trigger::Continuation | Trigger::Rollback => {
                return Err(NotEligible::NotRequested);
            }
            _ if self.is_paused(now) => return Err(NotEligible::Paused),
            Trigger::Organization | Trigger::Hold | Trigger::Webhook if self.sync_status == SyncStatus::Cancel => {
                return Err(NotEligible::Cancelled);
            }
            Trigger::Hold | Trigger::Webhook if !is_enabled => return Err(NotEligible::Disabled),
            // The organization's mirror has looked at its own schedule; and what was held, or has moved, is due, whatever the
            // schedule says.
            Trigger::Organization | Trigger::Hold | Trigger::Webhook => {}
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
        // It goes on with what was asked for before.
        let known = if expired || trigger == Trigger::Continuation { self.sync_trigger } else { None };
        let was_killed = expired && !self.sync_handed_over;
        let run = self.sync_run_id.filter(|_| self.is_recent(now));
        let goes_on = expired && run.is_some();
        let begun = (claim.is_hinted && !goes_on).then_some(self.sync_status);
        Ok(Self {
            sync_status: SyncStatus::Syncing,
            sync_transaction_id: claim.transaction,
            sync_expiration_date: Some(claim.expiration),
            sync_run_id: run.or(Some(claim.run)),
            sync_hinted: if goes_on { self.sync_hinted } else { begun },
            sync_waiting_until: None,
            sync_left_by: None,
            sync_left_until: None,
            sync_trigger: known.or(Some(trigger)),
            sync_requested_at: None,
            sync_handed_over: false,
            sync_unsettled: Some(self.sync_unsettled.map_or(Unsettled::Latest, |_| Unsettled::Earlier)),
            sync_interruptions: if was_killed { self.sync_interruptions.saturating_add(1) } else { 0 },
            ..self.clone()
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::status::SyncEnd;

    const DAY: u64 = 86_400;

    pub(crate) fn at(text: &str) -> Timestamp {
        Timestamp::parse_iso(text).unwrap()
    }

    pub(crate) fn state(status: SyncStatus, start: &str) -> SyncState {
        SyncState { sync_status: status, ..SyncState::new(at(start), Uuid::nil()) }
    }

    pub(crate) fn claim(
        state: &SyncState,
        enabled: bool,
        trigger: Trigger,
        now: &str,
    ) -> Result<SyncState, NotEligible> {
        let claim = NewClaim {
            transaction: Uuid::max(),
            expiration: at(now).plus(Duration::from_secs(120)),
            run: RunId(Uuid::from_u128(u128::from(at(now).unix().unsigned_abs()))),
            is_hinted: trigger == Trigger::Webhook,
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
            (S::Success, false, T::Organization, before, Ok(())),
            (S::Cancel, true, T::Organization, after, Err(NotEligible::Cancelled)),
            (S::NeverRun, true, T::Webhook, before, Ok(())),
            (S::Fail, false, T::Webhook, after, Err(NotEligible::Disabled)),
            (S::Cancel, true, T::Webhook, after, Err(NotEligible::Cancelled)),
            (S::SyncNow, true, T::Webhook, after, Err(NotEligible::Running)),
            (S::Syncing, true, T::Webhook, after, Err(NotEligible::Running)),
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
    fn who_comes_after_one_that_has_not_settled_its_tags_has_to_look() {
        let (start, later) = ("2026-01-10T00:00:00Z", "2026-01-10T00:10:00Z");
        let claimed = claim(&state(SyncStatus::NeverRun, start), true, Trigger::Schedule, start).unwrap();
        assert_eq!(claimed.sync_unsettled, Some(Unsettled::Latest));
        let asked = |state: &SyncState| state.sync_now(at(later), Uuid::nil()).unwrap();
        let handed = claimed.hand_over(at(start), Uuid::nil());
        for before in [claimed.clone(), asked(&claimed), asked(&claimed.cancel(Uuid::nil()).unwrap()), handed.clone()] {
            let next = claim(&before, true, Trigger::SyncNow, later).unwrap();
            assert_eq!(next.sync_unsettled, Some(Unsettled::Earlier), "{before:?}");
        }
        let next = claim(&handed.settled(), true, Trigger::Continuation, later).unwrap();
        assert_eq!(next.sync_unsettled, Some(Unsettled::Latest));
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
        let late = first.sync_now(at("2026-01-11T00:00:00Z"), Uuid::nil()).unwrap();
        let next = claim(&late, true, Trigger::SyncNow, "2026-01-11T00:00:00Z").unwrap();
        assert_ne!(next.sync_run_id, first.sync_run_id, "a day later, asked for");
        assert_eq!(first.release(SyncEnd::Success, DAY, at(start), Uuid::nil()).sync_run_id, None);
        assert_eq!(first.cancel(Uuid::nil()).unwrap().sync_run_id, None);
    }

    #[test]
    fn a_sync_of_hinted_tags_leaves_the_mirror_where_it_stood() {
        let start = "2026-01-10T00:00:00Z";
        let failed = SyncState { sync_retries_remaining: 2, ..state(SyncStatus::Fail, start) };
        let claimed = claim(&failed, true, Trigger::Webhook, start).unwrap();
        assert_eq!((claimed.sync_status, claimed.sync_hinted), (SyncStatus::Syncing, Some(SyncStatus::Fail)));
        for end in [SyncEnd::Success, SyncEnd::Fail] {
            let after = claimed.release(end, DAY, at("2026-01-10T00:01:00Z"), Uuid::nil()).settled();
            assert_eq!(SyncState { sync_transaction_id: failed.sync_transaction_id, ..after }, failed);
        }
        let killed = "2026-01-10T00:02:00Z";
        for trigger in [Trigger::Schedule, Trigger::Continuation] {
            let again = claim(&claimed, true, trigger, killed).unwrap();
            assert_eq!(
                (again.sync_run_id, again.sync_hinted),
                (claimed.sync_run_id, claimed.sync_hinted),
                "it goes on"
            );
        }
        let later = claim(&claimed, true, Trigger::Schedule, "2026-01-11T00:00:00Z").unwrap();
        assert_eq!(later.sync_hinted, None, "another run, of all tags");
        let asked = claimed.sync_now(at(killed), Uuid::nil()).unwrap();
        assert_eq!((asked.sync_run_id, asked.sync_hinted), (None, None), "Sync Now means all tags");
        let cancelled = claimed.cancel(Uuid::nil()).unwrap();
        assert_eq!((cancelled.sync_status, cancelled.sync_hinted), (SyncStatus::Cancel, None));
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

        let now = "2026-01-10T01:00:00Z";
        assert!(waiting.is_waiting(at(now)) && !claimed.is_waiting(at(now)) && !waiting.is_waiting(at(until)));
        let asked = waiting.sync_now(at(now), id).unwrap();
        assert_eq!((asked.sync_status, asked.sync_waiting_until), (SyncStatus::SyncNow, None));
        let next = claim(&asked, true, Trigger::SyncNow, now).unwrap();
        assert_eq!(next.sync_run_id, claimed.sync_run_id, "the run goes on when it is asked for");
        let ended = waiting.end_wait(at(now), id).unwrap();
        let next = claim(&ended, true, Trigger::Continuation, now).unwrap();
        assert_eq!((next.sync_run_id, next.sync_waiting_until), (claimed.sync_run_id, None), "or not waited for");
        assert_eq!(claimed.end_wait(at(start), id), None, "a sync that runs is left alone");
    }

    #[test]
    fn waits_in_a_row_are_counted() {
        let (start, later, id) = ("2026-01-10T00:00:00Z", "2026-01-10T01:00:00Z", Uuid::nil());
        let claimed = claim(&state(SyncStatus::NeverRun, start), true, Trigger::Schedule, start).unwrap();
        let waited = claimed.wait(at(start), id);
        let again = claim(&waited, true, Trigger::Continuation, start).unwrap();
        assert_eq!((claimed.sync_waits, again.sync_waits, again.wait(at(later), id).sync_waits), (0, 1, 2));
        assert_eq!(again.hand_over(at(later), id).sync_waits, 0, "it has got somewhere");
        assert_eq!(again.release(SyncEnd::Fail, DAY, at(later), id).sync_waits, 0);
        assert_eq!(again.wait(at(later), id).sync_now(at(start), id).unwrap().sync_waits, 0);
    }

    #[test]
    fn nobody_begins_before_a_cancelled_run_has_noticed() {
        let start = "2026-01-10T00:00:00Z";
        let claimed = claim(&state(SyncStatus::NeverRun, start), true, Trigger::Schedule, start).unwrap();
        let cancelled = claimed.cancel(Uuid::from_u128(7)).unwrap();
        let asked = cancelled.sync_now(at("2026-01-10T00:00:01Z"), Uuid::from_u128(8)).unwrap();
        let begin = |state: &SyncState, now: &str| claim(state, true, Trigger::SyncNow, now);
        assert_eq!(begin(&asked, "2026-01-10T00:00:01Z"), Err(NotEligible::Locked));
        let noticed = SyncState { sync_left_until: Some(at("2026-01-10T00:00:01Z")), ..asked.clone() };
        let next = begin(&noticed, "2026-01-10T00:00:01Z").unwrap();
        assert_eq!((next.sync_left_by, next.sync_left_until), (None, None));
        assert!(begin(&asked, "2026-01-10T00:02:00Z").is_ok(), "one that was killed keeps nobody out for longer");
    }
}
