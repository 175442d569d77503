//! How often a webhook may be called.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The most deliveries of a webhook in a minute of the clock: what comes within seconds is one sync anyway.
pub const MAX_PER_MINUTE: u32 = 60;
/// Seconds of a minute.
const MINUTE: i64 = 60;

/// The deliveries of one minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Which minute since 1970.
    pub minute: i64,
    /// How many came in it.
    pub count: u32,
}

impl Rate {
    /// With one more delivery.
    #[must_use]
    pub fn again(self, now: Timestamp) -> Self {
        let minute = now.unix().div_euclid(MINUTE);
        let before = if self.minute == minute { self.count } else { 0 };
        Self { minute, count: before.saturating_add(1) }
    }

    /// In how many seconds the sender may come again, if the last one was too many: for 429.
    pub fn retry_after(self, now: Timestamp) -> Option<u64> {
        let left = MINUTE - now.unix().rem_euclid(MINUTE);
        (self.count > MAX_PER_MINUTE).then(|| left.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_in_a_minute() {
        let at = Timestamp::from_unix;
        let mut rate = Rate::default();
        for second in 0..60 {
            rate = rate.again(at(6_000 + second));
            assert_eq!(rate.retry_after(at(6_000 + second)), None);
        }
        rate = rate.again(at(6_050));
        assert_eq!((rate.count, rate.retry_after(at(6_050))), (61, Some(10)));
        rate = rate.again(at(6_060));
        assert_eq!((rate.count, rate.retry_after(at(6_060))), (1, None));
        assert_eq!(Rate { count: u32::MAX, ..rate }.again(at(6_061)).count, u32::MAX);
    }
}
