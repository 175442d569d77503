//! How many requests are under way at once: some, or one, where a registry does not bear more.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use moorage_domain::Fallback;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore};

use crate::Meter;

/// Shares of a place: what is answered without a body takes one of them. A registry looks up a digest for it and sends
/// some hundred bytes, and with a hundred tags or ten thousand the answers' way is all that is waited for.
const SHARES: u32 = 2;

/// The places of the requests to one registry.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    /// All shares.
    count: u32,
    /// Shares of the requests that have a place and are not under way yet, because they wait for a turn or out a pause.
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
    count: u32,
    shares: u32,
    aside: Arc<AtomicUsize>,
    lock: Arc<RwLock<()>>,
    /// Given back last.
    _permit: Option<OwnedSemaphorePermit>,
}

/// The shares of whoever waits aside, until it is dropped.
struct Aside(Arc<AtomicUsize>, u32);

impl Drop for Aside {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1 as usize, Relaxed);
    }
}

/// How much there is to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// A head alone.
    Head,
    /// A head and a body.
    Body,
}

/// The lock, as a request has it.
#[derive(Debug)]
enum LockGuard {
    Shared(#[allow(dead_code, reason = "held, not read")] OwnedRwLockReadGuard<()>),
    Alone(#[allow(dead_code, reason = "held, not read")] OwnedRwLockWriteGuard<()>),
}

impl Places {
    /// So many places for what has a body, and twice as many for what has none; one for anything, if it is one.
    pub(crate) fn new(count: u32, meter: Meter) -> Self {
        let count = count.max(1).saturating_mul(SHARES);
        let all = Arc::new(Semaphore::new(count as usize));
        Self { all, count, aside: Arc::default(), lock: Arc::default(), meter }
    }

    /// Waits for a place; and until all others are done, if `alone`, or if the registry bears one request at a time only.
    pub(crate) async fn take(&self, load: Load, alone: bool) -> Place {
        let shares = if load == Load::Head && self.count > SHARES { 1 } else { SHARES };
        let permit = Arc::clone(&self.all).acquire_many_owned(shares).await.ok();
        let lock = Arc::clone(&self.lock);
        let guard = if alone || self.meter.falls_back(Fallback::ParallelRequests) {
            LockGuard::Alone(Arc::clone(&lock).write_owned().await)
        } else {
            LockGuard::Shared(Arc::clone(&lock).read_owned().await)
        };
        let (all, aside) = (Arc::clone(&self.all), Arc::clone(&self.aside));
        Place { guard: Some(guard), all, count: self.count, shares, aside, lock, _permit: permit }
    }
}

impl Place {
    /// Whether others are under way, too.
    pub(crate) fn is_crowded(&self) -> bool {
        let taken = (self.count as usize).saturating_sub(self.all.available_permits());
        !self.is_alone() && taken.saturating_sub(self.aside.load(Relaxed)) > self.shares as usize
    }

    /// Waits for `work`; meanwhile the request does not count as under way.
    pub(crate) async fn aside<T>(&self, work: impl Future<Output = T>) -> T {
        self.aside.fetch_add(self.shares as usize, Relaxed);
        let _aside = Aside(Arc::clone(&self.aside), self.shares);
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
    async fn what_has_no_body_has_twice_as_many_places_but_not_where_there_is_one() {
        let free = |places: &Places| places.all.available_permits();
        let places = Places::new(4, Meter::default());
        let mut taken = Vec::new();
        for _ in 0..4 {
            taken.push(places.take(Load::Head, false).await);
        }
        assert!(taken[0].is_crowded());
        taken.push(places.take(Load::Body, false).await);
        assert_eq!(free(&places), 2, "of eight shares");
        taken.clear();
        let (one, other) = (places.take(Load::Head, false).await, places.take(Load::Body, false).await);
        other.aside(async { assert!(!one.is_crowded(), "the other one is not under way") }).await;
        assert!(one.is_crowded() && other.is_crowded());
        let only = Places::new(1, Meter::default());
        let _place = only.take(Load::Head, false).await;
        assert_eq!(free(&only), 0);
    }

    #[tokio::test]
    async fn whoever_is_alone_waits_for_the_others_and_they_for_it() {
        let (meter, short) = (Meter::default(), Duration::from_millis(20));
        let places = Places::new(4, meter.clone());
        let (mut one, two) = (places.take(Load::Body, false).await, places.take(Load::Body, false).await);
        assert!(one.is_crowded() && two.is_crowded() && !one.is_alone());
        assert!(tokio::time::timeout(short, one.be_alone()).await.is_err(), "another one is under way");
        two.aside(async { assert!(!one.is_crowded(), "the other one is not under way") }).await;
        assert!(one.is_crowded());
        drop(two);
        one.be_alone().await;
        assert!(one.is_alone() && !one.is_crowded());
        assert!(tokio::time::timeout(short, places.take(Load::Body, false)).await.is_err(), "one is alone");
        drop(one);
        drop(places.take(Load::Body, false).await);
        meter.fall_back([Fallback::ParallelRequests]);
        let only = places.take(Load::Body, false).await;
        assert!(only.is_alone());
        assert!(tokio::time::timeout(short, places.take(Load::Body, false)).await.is_err());
    }
}
