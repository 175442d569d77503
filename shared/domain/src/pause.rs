//! That a mirror is not synced for a while.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// That a mirror's tags are left as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Until when, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Pause {
    /// Whether it has not ended.
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_when_it_is_said() {
        let at = Timestamp::from_unix;
        let pause = Pause { since: at(0), until: Some(at(10)) };
        assert_eq!([pause.lasts(at(9)), pause.lasts(at(10))], [true, false]);
        assert!(Pause { until: None, ..pause }.lasts(at(i64::MAX)));
    }
}
