//! Races of several writers for one item: each reads it, and writes on condition that nobody else has meanwhile.

use std::time::{Duration, Instant};

use rand::Rng;

use crate::StateError;

/// How long a writer tries. Whoever loses has lost to somebody who got through, so that of a dozen at once the last one has
/// lost a dozen times, in a second or two; and who called waits for API Gateway's 30 seconds at most.
const LIMIT: Duration = Duration::from_secs(15);
/// The longest first pause; it doubles each time.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it doubles: pauses stay shorter than a third of a second.
const DOUBLINGS: u32 = 4;

/// A writer in a race.
#[derive(Debug)]
pub struct Race {
    until: Instant,
    lost: u32,
}

impl Race {
    /// Begins one.
    pub fn begin() -> Self {
        Self { until: Instant::now() + LIMIT, lost: 0 }
    }

    /// After a loss: waits for a random while, so that the losers do not meet again at once, and lets the writer try again.
    /// [`StateError::Conflict`] if it has tried for 15 seconds.
    pub async fn lost(&mut self) -> Result<(), StateError> {
        if Instant::now() >= self.until {
            return Err(StateError::Conflict);
        }
        tokio::time::sleep(jitter(PAUSE, self.lost.min(DOUBLINGS))).await;
        self.lost = self.lost.saturating_add(1);
        Ok(())
    }
}

/// A random pause: at most `first`, doubled as often as this.
pub(crate) fn jitter(first: Duration, doublings: u32) -> Duration {
    let most = first.saturating_mul(2u32.saturating_pow(doublings));
    rand::rng().random_range(Duration::ZERO..=most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_race_goes_on_for_a_while_and_ends() {
        let mut race = Race::begin();
        for _ in 0..12 {
            race.lost().await.unwrap();
        }
        race.until = Instant::now();
        assert!(matches!(race.lost().await, Err(StateError::Conflict)));
        assert!((0..100).all(|_| jitter(PAUSE, DOUBLINGS) <= Duration::from_millis(320)));
    }
}
