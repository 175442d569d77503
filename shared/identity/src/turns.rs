//! How often each of some may do something in a minute.

use std::num::NonZeroUsize;

use lru::LruCache;
use moorage_domain::Timestamp;

/// For how long it is counted, in seconds.
pub(crate) const MINUTE: i64 = 60;

/// How often each of some has done something, in this environment.
pub struct Turns {
    most: u32,
    counted: std::sync::Mutex<LruCache<String, Counted>>,
}

/// How often one did it, and since when that is counted.
struct Counted {
    since: Timestamp,
    times: u32,
}

impl Turns {
    /// Each may so often in a minute. So many are remembered at most; those that did nothing for the longest time are forgotten
    /// first, and begin anew.
    pub fn new(most: u32, capacity: NonZeroUsize) -> Self {
        Self { most, counted: std::sync::Mutex::new(LruCache::new(capacity)) }
    }

    /// Whether this one may once more; if so, that counts.
    pub fn take(&self, who: String, now: Timestamp) -> bool {
        let mut counted = self.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let it = counted.get_or_insert_mut(who, || Counted { since: now, times: 0 });
        if !is_within(MINUTE, it.since, now) {
            *it = Counted { since: now, times: 0 };
        }
        let may = it.times < self.most;
        it.times += u32::from(may);
        may
    }

    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.counted.lock().unwrap().len()
    }
}

/// Whether so many seconds have not passed since. A clock that was set back has them passed.
pub(crate) fn is_within(seconds: i64, since: Timestamp, now: Timestamp) -> bool {
    (0..seconds).contains(&now.unix().saturating_sub(since.unix()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_may_so_often_in_a_minute() {
        let turns = Turns::new(2, NonZeroUsize::MIN.saturating_add(1));
        let take = |who: &str, now| turns.take(who.to_owned(), Timestamp::from_unix(now));
        assert!(take("a", 1_000) && take("a", 1_030) && !take("a", 1_059));
        assert!(take("b", 1_059), "each by itself");
        assert!(take("a", 1_060));
        assert!(take("a", 900), "a clock that was set back");
        assert!(take("a", 901) && !take("a", 902));
        assert!(take("c", 902) && turns.remembered() == 2);
        assert!(!take("a", 903), "who asked last is not forgotten");
    }
}
