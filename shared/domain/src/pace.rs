//! How fast a run moves, so that one that hardly does is ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a run is watched before it is judged: longer than a registry's hiccups, and shorter than an invocation.
pub const WINDOW: Duration = Duration::from_secs(600);
/// An hour, in milliseconds.
const HOUR: u128 = 3_600_000;

/// What a run has moved since it was last judged, or last got done with a tag. Only time in which it works counts: not that
/// in which it waits for its registry's rate limit, or between two invocations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pace {
    /// Milliseconds of work.
    pub worked_ms: u64,
    /// The run's bytes when they began.
    pub bytes_before: u64,
    /// The run's finished tags when they began.
    pub tags_before: u64,
}

/// What a run that is too slow has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow {
    /// Bytes.
    pub bytes: u64,
    /// Seconds of work.
    pub seconds: u64,
}

impl Pace {
    /// Adds work that took `worked`, with the run's bytes and finished tags by now. Tells if the run moves less than
    /// `per_hour` bytes in an hour while it gets done with no tag; 0 lets every run go on.
    pub fn add(&mut self, worked: Duration, bytes: u64, tags: u64, per_hour: u64) -> Option<TooSlow> {
        let worked = u64::try_from(worked.as_millis()).unwrap_or(u64::MAX);
        self.worked_ms = self.worked_ms.saturating_add(worked);
        let moved = bytes.saturating_sub(self.bytes_before);
        if tags == self.tags_before {
            if u128::from(self.worked_ms) < WINDOW.as_millis() {
                return None;
            }
            if u128::from(moved) * HOUR < u128::from(per_hour) * u128::from(self.worked_ms) {
                return Some(TooSlow { bytes: moved, seconds: self.worked_ms / 1_000 });
            }
        }
        *self = Self { worked_ms: 0, bytes_before: bytes, tags_before: tags };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_secs(3);
    const MIB: u64 = 1024 * 1024;

    /// When a run of an hour is ended that moves `bytes` with each tick, and gets done with a tag every `tag` ticks.
    fn ended(bytes: u64, tag: Option<u64>, per_hour: u64) -> Option<TooSlow> {
        let mut pace = Pace::default();
        (1..=1_200).find_map(|tick| pace.add(TICK, bytes * tick, tag.map_or(0, |tag| tick / tag), per_hour))
    }

    #[test]
    fn a_run_that_moves_too_little_is_ended() {
        let per_tick = MIB / 1_200;
        assert_eq!(ended(0, None, MIB), Some(TooSlow { bytes: 0, seconds: 600 }));
        assert!(ended(per_tick - 1, None, MIB).is_some());
        assert_eq!(ended(per_tick + 1, None, MIB), None);
        assert_eq!(ended(1, None, 0), None, "0 is off");
        assert_eq!(ended(0, Some(190), MIB), None, "it gets done with tags");
        assert!(ended(0, Some(210), MIB).is_some(), "but not often enough");
    }

    #[test]
    fn what_an_invocation_moved_counts_in_the_next() {
        let mut pace = Pace::default();
        assert_eq!(pace.add(Duration::from_secs(590), 5, 0, MIB), None);
        let stored = serde_json::to_string(&pace).unwrap();
        let mut pace: Pace = serde_json::from_str(&stored).unwrap();
        assert_eq!(pace.add(Duration::from_secs(10), 7, 0, MIB), Some(TooSlow { bytes: 7, seconds: 600 }));
    }

    #[test]
    fn no_number_is_too_large() {
        let mut pace = Pace::default();
        assert!(pace.add(Duration::MAX, u64::MAX, 0, u64::MAX).is_some());
        assert_eq!(pace.add(Duration::MAX, u64::MAX, u64::MAX, u64::MAX), None);
        assert!(pace.add(Duration::MAX, 0, u64::MAX, 1).is_some(), "bytes never go back, but if they did");
    }
}
