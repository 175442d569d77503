//! The time of an invocation.

use std::time::{Duration, Instant};

/// The share of an invocation's time after which nothing further is begun.
const BEGIN_SHARE: u32 = 2;
/// What is left of an invocation when everything must have ended, to say so and to hand over: a share of its time, and at
/// most so much.
const RESERVE_SHARE: u32 = 10;
const MOST_RESERVE: Duration = Duration::from_secs(10);

/// How often is written how far a collection is: what a killed invocation loses.
pub(crate) const SAVE_EVERY: Duration = Duration::from_secs(10);

/// Until when an invocation may do what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Until when something may be begun.
    pub(crate) until: Instant,
    /// When all that was begun has to end.
    pub(crate) end: Instant,
}

impl Clock {
    /// Of an invocation that begins now, and must be over at `deadline`.
    pub(crate) fn new(now: Instant, deadline: Instant) -> Self {
        let left = deadline.saturating_duration_since(now);
        let reserve = (left / RESERVE_SHARE).min(MOST_RESERVE);
        Self { until: now + left / BEGIN_SHARE, end: now + left.saturating_sub(reserve) }
    }

    /// Whether nothing further may be begun.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_time_is_for_beginning_and_little_is_left_at_the_end() {
        let now = Instant::now();
        for (seconds, until, end) in [(900, 450, 890_000), (10, 5, 9_000), (0, 0, 0)] {
            let clock = Clock::new(now, now + Duration::from_secs(seconds));
            let expected = (now + Duration::from_secs(until), now + Duration::from_millis(end));
            assert_eq!((clock.until, clock.end), expected, "{seconds}");
        }
    }
}
