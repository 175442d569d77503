//! How often kept connections break, and whether that is more than servers let happen.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// From so many times on that a kept connection broke and a new one answered, connections may be the reason…
const MIN_BROKEN: u32 = 3;
/// …and they are if more than one request in so many broke with them. Servers close connections that nothing is asked on,
/// and now and then at the moment when something is.
const ONE_IN: u32 = 8;

/// What became of requests on connections that are kept.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that were answered.
    answered: AtomicU32,
    /// Requests that were answered only on a new connection.
    broken: AtomicU32,
    /// How often some of these broke: several that were under way on one connection break together.
    times: AtomicU32,
    /// An answer came late: that says nothing of a connection here.
    is_slow: AtomicBool,
}

/// What it was when a request was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    answered: u32,
    times: u32,
}

impl Tally {
    pub(crate) fn sent(&self) -> Sent {
        Sent { answered: self.answered.load(Relaxed), times: self.times.load(Relaxed) }
    }

    pub(crate) fn answered(&self) {
        self.answered.fetch_add(1, Relaxed);
    }

    pub(crate) fn has_answered(&self) -> bool {
        self.answered.load(Relaxed) > 0
    }

    /// Whether other requests were answered since one was sent.
    pub(crate) fn has_answered_since(&self, sent: Sent) -> bool {
        self.answered.load(Relaxed) != sent.answered
    }

    /// Notes that an answer may take long here.
    pub(crate) fn was_slow(&self) {
        self.is_slow.store(true, Relaxed);
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.is_slow.load(Relaxed)
    }

    /// Notes that a request broke that had a connection of its own; tells whether that is too often.
    pub(crate) fn broke(&self) -> bool {
        self.times.fetch_add(1, Relaxed);
        self.is_too_often()
    }

    /// As [`Self::broke`] of a request that shared its connection: those that were sent before one broke, and break, too,
    /// broke with it.
    pub(crate) fn broke_together(&self, sent: Sent) -> bool {
        // If it is another number, others have counted it.
        self.times.compare_exchange(sent.times, sent.times.saturating_add(1), Relaxed, Relaxed).ok();
        self.is_too_often()
    }

    fn is_too_often(&self) -> bool {
        let broken = self.broken.fetch_add(1, Relaxed).saturating_add(1);
        self.times.load(Relaxed) >= MIN_BROKEN && broken.saturating_mul(ONE_IN) > self.answered.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_once_in_a_while_is_not_too_often() {
        let tally = Tally::default();
        assert_eq!([tally.broke(), tally.broke(), tally.broke()], [false, false, true]);
        let tally = Tally::default();
        (0..100).for_each(|_| tally.answered());
        let broken: Vec<bool> = (0..13).map(|_| tally.broke()).collect();
        assert_eq!(broken.iter().position(|is_too_often| *is_too_often), Some(12), "more than one in eight");
    }

    #[test]
    fn what_breaks_together_breaks_once() {
        let tally = Tally::default();
        for time in 0..3 {
            let sent: Vec<Sent> = (0..10).map(|_| tally.sent()).collect();
            for sent in sent {
                assert_eq!(tally.broke_together(sent), time == 2);
            }
        }
    }

    #[test]
    fn whether_others_were_answered_is_known() {
        let tally = Tally::default();
        let sent = tally.sent();
        assert!(!tally.has_answered_since(sent) && !tally.has_answered());
        tally.answered();
        assert!(tally.has_answered_since(sent) && tally.has_answered() && !tally.has_answered_since(tally.sent()));
    }
}
