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
    assert!(claim(&claimed, true, Trigger::Schedule, "2026-01-10T00:10:00Z").is_ok(), "one that was killed goes on");
    let failed = claimed.release(SyncEnd::Fail, DAY, start, id);
    assert_eq!((&failed.rollback, failed.retry_delay(start, Duration::ZERO)), (&None, None), "it is not tried again");
    for trigger in [Trigger::Schedule, Trigger::Retry, Trigger::Organization, Trigger::Hold] {
        let refused = claim(&failed, true, trigger, "2026-01-11T00:00:00Z");
        assert_eq!(refused, Err(NotEligible::Paused), "{trigger:?}");
    }
    assert_eq!(failed.sync_now(start, id), Err(NotEligible::Paused));
    assert_eq!(failed.verify(start, id, run), Err(NotEligible::Paused));
    assert!(failed.verify_requested, "the bucket may have what the table does not know of");
    assert!(claimed.cancel(id).unwrap().verify_requested && !asked.cancel(id).unwrap().verify_requested);
    assert!(!claimed.release(SyncEnd::Success, DAY, start, id).verify_requested);
    let unpaused = idle.roll_back(start, id, run, target.clone(), None).unwrap();
    for pending in [&unpaused, &claim(&unpaused, true, Trigger::Rollback, "2026-01-10T00:00:00Z").unwrap()] {
        let later = at("2026-01-10T00:10:00Z");
        assert_eq!(pending.sync_now(later, id), Err(NotEligible::Running), "it is not forgotten for a sync");
        assert_eq!(pending.verify(later, id, run), Err(NotEligible::Running));
        assert_eq!(pending.roll_back(later, id, run, target.clone(), None), Err(NotEligible::Running));
    }
    assert!(unpaused.cancel(id).unwrap().sync_now(start, id).is_ok());
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
