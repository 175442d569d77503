//! What was read a moment ago.

use std::{
    hash::Hash,
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

use lru::LruCache;
use moorage_domain::Timestamp;

/// How long callers, roles and visibilities are kept, in seconds: how long something revoked still works. A role is found by what was
/// kept of its caller: what a team gave to who is in it no more may work for twice as long.
pub(crate) const KEPT: i64 = 30;

/// A bounded number of values, each for a bounded time.
pub(crate) struct Cache<K: Hash + Eq, V> {
    entries: Mutex<LruCache<K, (V, Timestamp)>>,
    seconds: i64,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// At most `capacity` values, of which the least used go first, for less than `seconds`.
    pub(crate) fn new(capacity: usize, seconds: i64) -> Self {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        Self { entries: Mutex::new(LruCache::new(capacity)), seconds }
    }

    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let mut entries = self.lock();
        let (value, since) = entries.get(key)?;
        // A clock that was put back makes nothing younger.
        let age = now.unix().saturating_sub(since.unix());
        if (0..self.seconds).contains(&age) {
            return Some(value.clone());
        }
        entries.pop(key);
        None
    }

    pub(crate) fn insert(&self, key: K, value: V, now: Timestamp) {
        self.lock().put(key, (value, now));
    }

    /// Keeps what was found, if anything: what is added later is then seen at once.
    pub(crate) fn found(&self, key: K, value: Option<V>, now: Timestamp) -> Option<V> {
        let value = value?;
        self.insert(key, value.clone(), now);
        Some(value)
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<K, (V, Timestamp)>> {
        // What was read stays true after a panic elsewhere.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_for_a_short_time() {
        let at = Timestamp::from_unix;
        let cache = Cache::new(2, 30);
        cache.insert("a", 1, at(100));
        assert_eq!((cache.get(&"a", at(100)), cache.get(&"a", at(129))), (Some(1), Some(1)));
        assert_eq!(cache.get(&"a", at(130)), None);
        cache.insert("a", 1, at(100));
        assert_eq!(cache.get(&"a", at(99)), None, "from the future");
        for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
            cache.insert(key, value, at(0));
        }
        assert_eq!([cache.get(&"a", at(0)), cache.get(&"b", at(0)), cache.get(&"c", at(0))], [None, Some(2), Some(3)]);
    }
}
