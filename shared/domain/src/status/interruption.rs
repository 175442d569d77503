//! Syncs that nobody works on although their state says so: they were killed, or were asked for and never began.

use std::time::Duration;

use super::{SyncState, SyncStatus};
use crate::{FailureReason, Timestamp, failure::Failure, run::Trigger};

/// How long an invocation may take to begin that is on its way. Lambda needs about a second; Scheduler is up to a minute
/// late.
const ON_ITS_WAY: Duration = Duration::from_secs(120);
/// How many claims in a row may expire whose holders got nowhere before the sync fails: what kills it each time would do so
/// for ever.
pub const MAX_INTERRUPTIONS: u32 = 5;

impl SyncState {
    /// Whether a sync has begun and nobody works on it: its claim has expired, or was handed over to an invocation that does
    /// not come.
    pub fn is_interrupted(&self, now: Timestamp) -> bool {
        let patience = if self.sync_handed_over { ON_ITS_WAY } else { Duration::ZERO };
        let is_over = |expiration: Timestamp| expiration.plus(patience) <= now;
        self.sync_status == SyncStatus::Syncing && self.sync_expiration_date.is_none_or(is_over)
    }

    /// Whether somebody has to start the sync again, because nobody else does: it was interrupted, or it is pending and its
    /// invocation does not come. States from before there was a time of the request are taken for such.
    pub fn is_stuck(&self, now: Timestamp) -> bool {
        let is_late = |asked: Timestamp| asked.plus(ON_ITS_WAY) <= now;
        let is_lost = self.sync_status == SyncStatus::SyncNow && self.sync_requested_at.is_none_or(is_late);
        is_lost || self.is_interrupted(now)
    }

    /// The status as it is shown: a sync that was interrupted is going to be started, as one that was asked for.
    pub fn shown_status(&self, now: Timestamp) -> SyncStatus {
        if self.is_interrupted(now) { SyncStatus::SyncNow } else { self.sync_status }
    }

    /// What the sync is started by if it is started again.
    pub fn trigger_again(&self) -> Trigger {
        match self.sync_status {
            // A webhook takes over nothing.
            SyncStatus::Syncing => {
                self.sync_trigger.filter(|trigger| *trigger != Trigger::Webhook).unwrap_or(Trigger::Continuation)
            }
            _ if self.verify_requested => Trigger::Verify,
            _ => Trigger::SyncNow,
        }
    }

    /// Why a sync that was claimed again is not to begin, if that was in vain too often.
    pub fn given_up(&self) -> Option<Failure> {
        (self.sync_interruptions >= MAX_INTERRUPTIONS).then(|| {
            let message = format!(
                "the sync was killed {} times in a row and got nowhere: the function's log says by what, most likely the \
                 memory or the time that it has",
                self.sync_interruptions
            );
            Failure::new(FailureReason::UnknownError, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::status::{
        SyncEnd,
        claim::tests::{at, claim, state},
    };

    const START: &str = "2026-01-10T00:00:00Z";

    #[test]
    fn an_expired_claim_was_interrupted_and_one_that_was_handed_over_gets_some_time() {
        let claimed = claim(&state(SyncStatus::NeverRun, START), true, Trigger::Schedule, START).unwrap();
        let (end, late) = ("2026-01-10T00:02:00Z", "2026-01-10T00:04:00Z");
        for (state, now, interrupted) in [
            (claimed.clone(), "2026-01-10T00:01:59Z", false),
            (claimed.clone(), end, true),
            (claimed.hand_over(at(end), Uuid::nil()), "2026-01-10T00:03:59Z", false),
            (claimed.hand_over(at(end), Uuid::nil()), late, true),
            (claimed.wait(at(end), Uuid::nil()), "2026-01-10T00:03:59Z", false),
            (claimed.wait(at(end), Uuid::nil()), late, true),
            (claimed.release(SyncEnd::Success, 60, at(end), Uuid::nil()), late, false),
        ] {
            assert_eq!(state.is_interrupted(at(now)), interrupted, "{state:?} {now}");
            assert_eq!(state.is_stuck(at(now)), interrupted, "{now}");
            let shown = if interrupted { SyncStatus::SyncNow } else { state.sync_status };
            assert_eq!(state.shown_status(at(now)), shown, "{now}");
        }
    }

    #[test]
    fn a_sync_that_was_asked_for_and_does_not_begin_is_stuck() {
        let asked = state(SyncStatus::Success, START).sync_now(at(START), Uuid::nil()).unwrap();
        assert!(!asked.is_stuck(at("2026-01-10T00:01:59Z")) && asked.is_stuck(at("2026-01-10T00:02:00Z")));
        assert!(state(SyncStatus::SyncNow, START).is_stuck(at(START)), "from before");
        assert_eq!(asked.trigger_again(), Trigger::SyncNow);
        let verify = crate::run::RunId(Uuid::nil());
        let asked = state(SyncStatus::Success, START).verify(at(START), Uuid::nil(), verify).unwrap();
        assert_eq!(asked.trigger_again(), Trigger::Verify);
        for status in [SyncStatus::NeverRun, SyncStatus::Cancel, SyncStatus::Success, SyncStatus::Fail] {
            assert!(!state(status, START).is_stuck(at("2026-01-11T00:00:00Z")), "{status:?}");
        }
    }

    #[test]
    fn what_was_killed_is_started_by_what_it_was_started_by() {
        let claimed = claim(&state(SyncStatus::SyncNow, START), true, Trigger::SyncNow, START).unwrap();
        assert_eq!(claimed.trigger_again(), Trigger::SyncNow);
        let again = claim(&claimed, false, Trigger::Continuation, "2026-01-10T00:02:00Z").unwrap();
        assert_eq!(again.trigger_again(), Trigger::SyncNow);
        let before = state(SyncStatus::Syncing, START);
        assert_eq!(before.trigger_again(), Trigger::Continuation, "from before triggers were kept");
        let hinted = claim(&state(SyncStatus::Success, START), true, Trigger::Webhook, START).unwrap();
        assert_eq!(hinted.trigger_again(), Trigger::Continuation);
    }

    #[test]
    fn a_sync_that_is_killed_each_time_is_given_up() {
        let mut state = claim(&state(SyncStatus::NeverRun, START), true, Trigger::Schedule, START).unwrap();
        let mut restart = 0;
        while state.given_up().is_none() {
            restart += 1;
            let now = at(START).plus(Duration::from_secs(300 * restart)).iso();
            state = claim(&state, true, Trigger::Schedule, &now).unwrap();
        }
        assert_eq!(restart, u64::from(MAX_INTERRUPTIONS));
        let now = at(START).plus(Duration::from_secs(300 * restart));
        let handed = state.hand_over(now, Uuid::nil());
        let next = claim(&handed, true, Trigger::Continuation, &now.iso()).unwrap();
        assert_eq!(next.sync_interruptions, 0, "one that was handed over has got somewhere");
        assert_eq!(state.release(SyncEnd::Fail, 60, now, Uuid::nil()).sync_interruptions, 0);
        assert_eq!(state.cancel(Uuid::nil()).unwrap().sync_interruptions, 0);
    }
}
