//! How many requests are under way at once: some, or one, where a registry does not bear more.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use moorage_domain::Fallback;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore};

use crate::Meter;

/// The places of the requests to one registry.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    count: usize,
    /// How many of the requests that have a place are not under way yet, because they wait for a turn or out a pause.
    aside: Arc<AtomicUsize>,
    /// Each request that is under way reads it; one that is alone has it for writing.
    lock: Arc<RwLock<()>>,
    meter: Meter,
}

/// A place among the requests, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    /// None only while it is exchanged.
    guard: Option<LockGuard>,
    all: Arc<Semaphore>,
    count: usize,
    aside: Arc<AtomicUsize>,
    lock: Arc<RwLock<()>>,
    /// Given back last.
    _permit: Option<OwnedSemaphorePermit>,
}

/// Whoever waits aside, until it is dropped.
struct Aside(Arc<AtomicUsize>);

impl Drop for Aside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The lock, as a request has it.
#[derive(Debug)]
enum LockGuard {
    Shared(#[allow(dead_code, reason = "held, not read")] OwnedRwLockReadGuard<()>),
    Alone(#[allow(dead_code, reason = "held, not read")] OwnedRwLockWriteGuard<()>),
}

impl Places {
    pub(crate) fn new(count: usize, meter: Meter) -> Self {
        Self { all: Arc::new(Semaphore::new(count)), count, aside: Arc::default(), lock: Arc::default(), meter }
    }

    /// Waits for a place; and until all others are done, if `alone`, or if the registry bears one request at a time only.
    pub(crate) async fn take(&self, alone: bool) -> Place {
        let permit = Arc::clone(&self.all).acquire_owned().await.ok();
        let lock = Arc::clone(&self.lock);
        let guard = if alone || self.meter.falls_back(Fallback::ParallelRequests) {
            LockGuard::Alone(Arc::clone(&lock).write_owned().await)
        } else {
            LockGuard::Shared(Arc::clone(&lock).read_owned().await)
        };
        let (all, aside) = (Arc::clone(&self.all), Arc::clone(&self.aside));
        Place { guard: Some(guard), all, count: self.count, aside, lock, _permit: permit }
    }
}

impl Place {
    /// Whether others are under way, too.
    pub(crate) fn is_crowded(&self) -> bool {
        let taken = self.count.saturating_sub(self.all.available_permits());
        !self.is_alone() && taken.saturating_sub(self.aside.load(Relaxed)) > 1
    }

    /// Waits for `work`; meanwhile the request does not count as under way.
    pub(crate) async fn aside<T>(&self, work: impl Future<Output = T>) -> T {
        self.aside.fetch_add(1, Relaxed);
        let _aside = Aside(Arc::clone(&self.aside));
        work.await
    }

    /// Whether no other can be under way.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self.guard, Some(LockGuard::Alone(_)))
    }

    /// Waits until the others have come to their end; further ones wait for this one.
    pub(crate) async fn be_alone(&mut self) {
        if !self.is_alone() {
            // Two that wait for each other's end would wait for ever.
            self.guard = None;
            self.guard = Some(LockGuard::Alone(Arc::clone(&self.lock).write_owned().await));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn whoever_is_alone_waits_for_the_others_and_they_for_it() {
        let (meter, short) = (Meter::default(), Duration::from_millis(20));
        let places = Places::new(4, meter.clone());
        let (mut one, two) = (places.take(false).await, places.take(false).await);
        assert!(one.is_crowded() && two.is_crowded() && !one.is_alone());
        assert!(tokio::time::timeout(short, one.be_alone()).await.is_err(), "another one is under way");
        two.aside(async { assert!(!one.is_crowded(), "the other one is not under way") }).await;
        assert!(one.is_crowded());
        drop(two);
        one.be_alone().await;
        assert!(one.is_alone() && !one.is_crowded());
        assert!(tokio::time::timeout(short, places.take(false)).await.is_err(), "one is alone");
        drop(one);
        drop(places.take(false).await);
        meter.fall_back([Fallback::ParallelRequests]);
        let only = places.take(false).await;
        assert!(only.is_alone());
        assert!(tokio::time::timeout(short, places.take(false)).await.is_err());
    }
}
