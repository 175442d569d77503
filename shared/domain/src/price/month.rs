//! What a mirror's runs of some days cost, and what a month of the same would.

use crate::{
    Timestamp,
    price::{Cost, Processor},
    run::Run,
};

/// How far back runs are counted, in seconds: 30 days.
pub const COUNTED: i64 = 30 * 86_400;
/// Seconds of a month, as AWS counts them: 730 hours.
const MONTH: u64 = 730 * 3_600;
/// The shortest time that is taken to be covered, in seconds: an hour. What a month of a mirror would cost that has just
/// been made cannot be told from its first minute.
const SHORTEST: u64 = 3_600;

/// The newest runs of a mirror, put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Runs {
    /// Runs that were counted.
    pub counted: u64,
    /// Runs that were not: they are from before that was done.
    pub uncounted: u64,
    /// When the first of those began that were counted.
    pub since: Option<Timestamp>,
    /// What they cost.
    pub cost: Cost,
}

impl Runs {
    /// With another run.
    #[must_use]
    pub fn and(self, run: &Run, processor: Processor) -> Self {
        let Some(cost) = Cost::of_run(run, processor) else {
            return Self { uncounted: self.uncounted.saturating_add(1), ..self };
        };
        let since = self.since.map_or(run.started_at, |since| since.min(run.started_at));
        Self { counted: self.counted.saturating_add(1), since: Some(since), cost: self.cost + cost, ..self }
    }

    /// How many seconds they cover until `now`: an interval of the mirror at least, since the next run comes no sooner.
    pub fn covered(&self, interval: u64, now: Timestamp) -> u64 {
        let Some(since) = self.since else { return 0 };
        let passed = u64::try_from(now.unix().saturating_sub(since.unix())).unwrap_or_default();
        passed.max(interval).max(SHORTEST)
    }

    /// What a month of such runs would cost.
    #[must_use]
    pub fn month(&self, interval: u64, now: Timestamp) -> Cost {
        self.cost.share(MONTH, self.covered(interval, now))
    }
}
