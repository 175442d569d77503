//! The grid of a mirror's starts: start date + k × interval.

use crate::Timestamp;

/// The shortest interval, in seconds: EventBridge Scheduler's precision is one minute.
pub const MIN_SYNC_INTERVAL: u64 = 60;
/// The longest time between the scheduled starts of a mirror, in seconds: a hundred years. Nobody waits for longer, and
/// whatever makes schedules of it need not bear any number.
pub const MAX_SYNC_INTERVAL: u64 = 100 * 366 * 86_400;

/// The next point of the grid strictly after `now`, as Quay computes it:
/// `now + interval − ((now − start) mod interval)`, with the modulo never negative.
///
/// An interval of zero counts as one second, so that no stored value can divide by zero.
pub fn next_start(start: Timestamp, interval: u64, now: Timestamp) -> Timestamp {
    let interval = i64::try_from(interval).unwrap_or(i64::MAX).max(1);
    let since = now.unix().saturating_sub(start.unix()).rem_euclid(interval);
    Timestamp::from_unix(now.unix().saturating_add(interval - since))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn next(start: &str, interval: u64, now: &str) -> String {
        next_start(Timestamp::parse_iso(start).unwrap(), interval, Timestamp::parse_iso(now).unwrap()).iso()
    }

    #[test]
    fn quays_examples() {
        let (day, start) = (86_400, "2026-01-10T00:00:00Z");
        assert_eq!(next(start, day, "2026-01-10T02:00:00Z"), "2026-01-11T00:00:00Z");
        assert_eq!(next(start, day, start), "2026-01-11T00:00:00Z");
        assert_eq!(next(start, day, "2026-01-14T03:00:00Z"), "2026-01-15T00:00:00Z");
        assert_eq!(next(start, day, "2026-01-09T23:00:00Z"), start);
        assert_eq!(next(start, day, "2026-01-07T23:00:00Z"), "2026-01-08T00:00:00Z");
    }

    proptest! {
        #[test]
        fn next_is_the_first_grid_point_after_now(start in -4_000_000_000i64..8_000_000_000, interval in 1u64..10_000_000, now in 0i64..8_000_000_000) {
            let next = next_start(Timestamp::from_unix(start), interval, Timestamp::from_unix(now)).unix();
            let interval = i64::try_from(interval).unwrap();
            prop_assert!(next > now && next <= now + interval);
            prop_assert_eq!((next - start).rem_euclid(interval), 0);
        }
    }
}
