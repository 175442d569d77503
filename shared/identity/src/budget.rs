//! How often something may be done in a minute, whoever asks for it.

use moorage_domain::Timestamp;

use crate::turns::{MINUTE, is_within};

/// How many codes and refresh tokens are exchanged in that time: 30 people of one environment of the function signing in at
/// the same minute. Whoever makes codes up has the provider asked every other second.
pub(crate) const MOST: u32 = 30;

/// What is left of a minute's exchanges, in this environment.
#[derive(Default)]
pub(crate) struct Budget(std::sync::Mutex<Option<(Timestamp, u32)>>);

impl Budget {
    /// Whether one more may be done; if so, that counts.
    pub(crate) fn take(&self, now: Timestamp) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (since, times) = spent.filter(|(since, _)| is_within(MINUTE, *since, now)).unwrap_or((now, 0));
        let may = times < MOST;
        *spent = Some((since, times + u32::from(may)));
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_minute() {
        let (budget, at) = (Budget::default(), Timestamp::from_unix);
        for second in 0..i64::from(MOST) {
            assert!(budget.take(at(1_000 + second)), "{second}");
        }
        assert!(!budget.take(at(1_059)));
        assert!(budget.take(at(1_060)));
        assert!(budget.take(at(900)), "a clock that was set back");
    }
}
