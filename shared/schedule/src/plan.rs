//! What a mirror's schedule says, as data.

use std::time::Duration;

use moorage_domain::{Timestamp, Timetable, grid::next_start};
use sha2::{Digest as _, Sha256};

/// The widest flexible window, in minutes. It spreads the starts of many mirrors of one registry.
const MAX_WINDOW: u64 = 15;
/// The part of the interval that the window may take.
const WINDOW_SHARE: u64 = 4;
/// The shortest and longest time for which Scheduler goes on trying to deliver, in seconds: its own limits.
const EVENT_AGE: std::ops::RangeInclusive<u64> = 60..=86_400;
/// Hexadecimal characters of a schedule's name that come from the repository's name: 128 bits.
const NAME_LENGTH: usize = 32;

/// The delay of a start that has come: a one-time schedule needs a moment that lies ahead, and a Sync Now right behind is to
/// go first.
const START_DELAY: Duration = Duration::from_secs(5);

/// A mirror's schedule, computed from its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulePlan {
    /// `rate(N minutes)`, the interval rounded up: Scheduler knows no seconds.
    pub expression: String,
    /// The first occurrence: the first point of the mirror's grid that lies ahead. Scheduler refuses dates that lie
    /// more than five minutes back.
    pub start: Timestamp,
    /// Minutes by which an occurrence may be late; 0 for none.
    pub window: u64,
    /// Seconds for which an occurrence is worth delivering.
    pub event_age: u64,
    /// Whether it fires.
    pub is_enabled: bool,
    /// A start besides: of a one-time schedule.
    pub once: Option<Timestamp>,
}

impl SchedulePlan {
    /// The plan for a mirror that starts at `start` and then every `interval` seconds.
    pub(crate) fn new(start: Timestamp, interval: u64, is_enabled: bool, now: Timestamp) -> Self {
        let minutes = interval.div_ceil(60).max(1);
        Self {
            expression: format!("rate({minutes} minute{})", if minutes == 1 { "" } else { "s" }),
            start: if start > now { start } else { next_start(start, interval, now) },
            window: (minutes / WINDOW_SHARE).min(MAX_WINDOW),
            event_age: interval.clamp(*EVENT_AGE.start(), *EVENT_AGE.end()),
            is_enabled,
            once: None,
        }
    }

    /// The plan for a mirror whose configuration was changed, or whose schedule is wrong: also with the start that it has, if
    /// that is new (`started`) or has come. It is served by a one-time schedule, so that one that has come already does not
    /// wait a whole interval, and one that is due now is not lost with the schedule that would have served it; where both
    /// deliver, the claim lets one pass.
    pub fn following(timetable: &Timetable, started: bool, now: Timestamp) -> Self {
        let Timetable { state, sync_interval, is_enabled, .. } = timetable;
        let is_served = (started || state.is_due(now)) && *is_enabled && state.is_idle();
        let once = is_served.then(|| state.sync_start_date.max(now.plus(START_DELAY)));
        Self { once, ..Self::new(state.sync_start_date, *sync_interval, *is_enabled, now) }
    }

    /// The plan for a mirror whose claim was given up, if its grid begins earlier than it did `before`: Sync Now came before
    /// a start that lay far ahead.
    pub fn earlier(before: Timestamp, after: &Timetable, now: Timestamp) -> Option<Self> {
        let start = after.state.sync_start_date;
        (start < before).then(|| Self::new(start, after.sync_interval, after.is_enabled, now))
    }
}

/// A schedule's name: kind and a hash of the name of what it is for, which may hold characters that names may not.
pub(crate) fn schedule_name(kind: &str, name: &str) -> String {
    let hash = hex::encode(Sha256::digest(name));
    format!("{kind}-{}", &hash[..NAME_LENGTH])
}

#[cfg(test)]
mod tests {
    use moorage_domain::{
        MirrorOf,
        status::{SyncState, SyncStatus},
    };

    use super::*;

    fn timetable(state: &SyncState, is_enabled: bool) -> Timetable {
        let of = MirrorOf::Organization("acme".parse().unwrap());
        Timetable { of, state: state.clone(), sync_interval: 86_400, is_enabled }
    }

    fn starting(at: i64) -> SyncState {
        SyncState::new(Timestamp::from_unix(at), uuid::Uuid::nil())
    }

    #[test]
    fn intervals_become_minutes_and_windows() {
        let now = Timestamp::from_unix(1_000_000);
        for (interval, expression, window, age) in [
            (60, "rate(1 minute)", 0, 60),
            (90, "rate(2 minutes)", 0, 90),
            (600, "rate(10 minutes)", 2, 600),
            (86_400, "rate(1440 minutes)", 15, 86_400),
            (1_000_000, "rate(16667 minutes)", 15, 86_400),
        ] {
            let plan = SchedulePlan::new(now, interval, true, now);
            assert_eq!((plan.expression.as_str(), plan.window, plan.event_age), (expression, window, age));
            assert!(plan.start > now, "a start that has come is followed by the next");
        }
    }

    #[test]
    fn a_start_ahead_is_kept_and_a_past_one_moves_along_the_grid() {
        let now = Timestamp::parse_iso("2026-01-10T12:00:00Z").unwrap();
        let start = |text: &str| SchedulePlan::new(Timestamp::parse_iso(text).unwrap(), 86_400, true, now).start.iso();
        assert_eq!(start("2026-03-01T00:00:00Z"), "2026-03-01T00:00:00Z");
        assert_eq!(start("2020-01-01T06:00:00Z"), "2026-01-11T06:00:00Z");
    }

    #[test]
    fn a_start_that_is_new_or_has_come_is_served_once() {
        let now = Timestamp::from_unix(1_000_000);
        let once = |state: &SyncState, is_enabled, started| {
            SchedulePlan::following(&timetable(state, is_enabled), started, now).once.map(Timestamp::unix)
        };
        let (come, ahead) = (starting(999_000), starting(2_000_000));
        assert_eq!((once(&come, true, false), once(&come, true, true)), (Some(1_000_005), Some(1_000_005)));
        assert_eq!((once(&ahead, true, false), once(&ahead, true, true)), (None, Some(2_000_000)));
        assert_eq!(once(&come, false, true), None, "it is disabled");
        let asked_for = SyncState { sync_status: SyncStatus::SyncNow, ..come };
        assert_eq!(once(&asked_for, true, true), None, "it begins anyway");
    }

    #[test]
    fn a_grid_that_begins_earlier_has_a_new_plan() {
        let (now, before) = (Timestamp::from_unix(1_000_000), Timestamp::from_unix(2_000_000));
        let after = |start| timetable(&starting(start), true);
        let plan = SchedulePlan::earlier(before, &after(1_000_100), now).unwrap();
        assert_eq!((plan.start.unix(), plan.once), (1_000_100, None));
        for start in [2_000_000, 2_086_400] {
            assert_eq!(SchedulePlan::earlier(before, &after(start), now), None, "{start}");
        }
    }

    #[test]
    fn names_fit_scheduler() {
        let name = schedule_name("mirror", "acme/tools/app");
        assert!(name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{name}");
        assert_ne!(name, schedule_name("mirror", "acme/tools/app2"));
    }
}
