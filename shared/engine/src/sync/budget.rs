//! The time that one invocation has.

use std::time::{Duration, Instant};

/// The share of an invocation's time in which no further tag is begun: what runs by then mostly ends in time.
const LAST_SHARE: u32 = 4;
/// The most of it: an image takes seconds, and a long invocation should not end early for it.
const LAST_MOST: Duration = Duration::from_secs(60);
/// The share of an invocation's time in which large blobs are left at the next part, so that what is on its way arrives.
const LEAVE_SHARE: u32 = 5;
/// The most of it: a part takes a second or two, and is recorded then.
const LEAVE_MOST: Duration = Duration::from_secs(20);
/// The share of an invocation's time that is kept for handing over.
const HANDOVER_SHARE: u32 = 10;
/// The most of it: a few writes to the table and one invocation.
const HANDOVER_MOST: Duration = Duration::from_secs(10);

/// When to stop beginning, and when to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    began: Instant,
    last_begin: Instant,
    leave: Instant,
    stop: Instant,
}

impl Budget {
    /// For an invocation that is ended at `deadline`.
    pub(crate) fn until(deadline: Instant) -> Self {
        let began = Instant::now();
        let left = deadline.saturating_duration_since(began);
        let before = |share: u32, most: Duration| deadline.checked_sub((left / share).min(most)).unwrap_or(deadline);
        Self {
            began,
            last_begin: before(LAST_SHARE, LAST_MOST),
            leave: before(LEAVE_SHARE, LEAVE_MOST),
            stop: before(HANDOVER_SHARE, HANDOVER_MOST),
        }
    }

    /// Whether there is time to begin another tag.
    pub(crate) fn may_begin(self) -> bool {
        Instant::now() < self.last_begin
    }

    /// When half of the time is over in which further tags may be begun.
    pub(crate) fn half(self) -> Instant {
        let now = Instant::now();
        now + self.last_begin.saturating_duration_since(now) / 2
    }

    /// How long the invocation has gone on.
    pub(crate) fn elapsed(self) -> Duration {
        self.began.elapsed()
    }

    /// Returns when it is time to leave what can be taken up again.
    pub(crate) async fn ending(self) {
        tokio::time::sleep_until(self.leave.into()).await;
    }

    /// Returns when it is time to hand over.
    pub(crate) async fn spent(self) {
        tokio::time::sleep_until(self.stop.into()).await;
    }
}
