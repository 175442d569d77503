//! Work that is done once per run, however many ask for it.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use moorage_domain::Digest;
use tokio::sync::OnceCell;

/// Results by digest. Whoever asks first does the work; the others wait and get the same result, failures included: a
/// blob that ten images want and that cannot be had is asked for once, not ten times. The oldest results are forgotten
/// when there is more of them than may be kept.
#[derive(Debug)]
pub(crate) struct SingleFlight<T> {
    cells: Mutex<Cells<T>>,
    capacity: usize,
    weigh: fn(&T) -> usize,
}

#[derive(Debug)]
struct Cells<T> {
    by_digest: HashMap<Digest, Arc<OnceCell<T>>>,
    /// What is finished, and its weight, the oldest first.
    finished: VecDeque<(Digest, usize)>,
    weight: usize,
}

/// That somebody asks for a result, until it is dropped: with the result, without one, or before there is any.
struct Asked<'a, T: Clone> {
    flight: &'a SingleFlight<T>,
    digest: &'a Digest,
    cell: Arc<OnceCell<T>>,
}

impl<T: Clone> Drop for Asked<'_, T> {
    fn drop(&mut self) {
        // All who ask come and go by this lock: the last of them counts itself and the map.
        let mut cells = self.flight.lock();
        let cell = mem::take(&mut self.cell);
        if !cell.initialized() && Arc::strong_count(&cell) <= 2 {
            cells.by_digest.remove(self.digest);
        }
        // While the lock is held.
        drop(cell);
    }
}

impl<T: Clone> SingleFlight<T> {
    /// Keeps results that weigh `capacity` together.
    pub(crate) fn new(capacity: usize, weigh: fn(&T) -> usize) -> Self {
        let cells = Cells { by_digest: HashMap::new(), finished: VecDeque::new(), weight: 0 };
        Self { cells: Mutex::new(cells), capacity, weigh }
    }

    /// The result for `digest`, by `work` if nobody has asked before. One that is not to be `kept` is only the asker's.
    pub(crate) async fn get<F>(&self, digest: &Digest, kept: impl Fn(&T) -> bool, work: impl FnOnce() -> F) -> T
    where
        F: Future<Output = T>,
    {
        let cell = Arc::clone(self.lock().by_digest.entry(digest.clone()).or_default());
        let asked = Asked { flight: self, digest, cell };
        let is_mine = AtomicBool::new(false);
        let tried = asked.cell.get_or_try_init(|| async {
            is_mine.store(true, Ordering::Relaxed);
            let result = work().await;
            if kept(&result) { Ok(result) } else { Err(result) }
        });
        match tried.await.cloned() {
            Ok(result) => {
                if is_mine.into_inner() {
                    self.keep(digest, (self.weigh)(&result));
                }
                result
            }
            Err(result) => result,
        }
    }

    /// Whether somebody has asked, and the result is not forgotten.
    pub(crate) fn knows(&self, digest: &Digest) -> bool {
        self.lock().by_digest.contains_key(digest)
    }

    /// Whether the result is there.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.is(digest, |_| true)
    }

    /// Whether the result is there, and such a one.
    pub(crate) fn is(&self, digest: &Digest, such: impl Fn(&T) -> bool) -> bool {
        self.lock().by_digest.get(digest).and_then(|cell| cell.get()).is_some_and(such)
    }

    fn keep(&self, digest: &Digest, weight: usize) {
        let mut cells = self.lock();
        cells.finished.push_back((digest.clone(), weight));
        cells.weight = cells.weight.saturating_add(weight);
        while cells.weight > self.capacity
            && let Some((oldest, weight)) = cells.finished.pop_front()
        {
            cells.weight = cells.weight.saturating_sub(weight);
            cells.by_digest.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Cells<T>> {
        // What is finished stays so after a panic elsewhere.
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{future, sync::atomic::AtomicU32};

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn work_is_done_once_even_if_it_fails() {
        let (flight, calls) = (SingleFlight::<Result<u32, ()>>::new(10, |_| 1), AtomicU32::new(0));
        let digest = Digest::sha256(b"");
        let work = || async {
            calls.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Err(())
        };
        let results = futures_util::future::join_all((0..10).map(|_| flight.get(&digest, |_| true, work))).await;
        assert_eq!(results, vec![Err(()); 10]);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert!(flight.has(&digest) && !flight.has(&Digest::sha256(b"another")));
        assert!(flight.is(&digest, Result::is_err) && !flight.is(&digest, Result::is_ok));
        assert_eq!(flight.get(&digest, |_| true, || async { Ok(1) }).await, Err(()), "it is kept");
    }

    #[tokio::test]
    async fn what_is_not_to_be_kept_and_what_is_old_is_done_again() {
        let flight = SingleFlight::<u32>::new(3, |weight| *weight as usize);
        let digest = |n: u32| Digest::sha256(&n.to_be_bytes());
        assert_eq!(flight.get(&digest(0), |_| false, || async { 1 }).await, 1);
        assert!(!flight.knows(&digest(0)));
        assert_eq!(flight.get(&digest(0), |_| true, || async { 2 }).await, 2);
        assert_eq!(flight.get(&digest(1), |_| true, || async { 1 }).await, 1);
        assert!(flight.knows(&digest(0)) && flight.knows(&digest(1)));
        assert_eq!(flight.get(&digest(2), |_| true, || async { 2 }).await, 2);
        assert!(!flight.knows(&digest(0)) && flight.knows(&digest(1)) && flight.knows(&digest(2)));
        assert_eq!(flight.get(&digest(3), |_| true, || async { 9 }).await, 9, "too heavy to be kept");
        assert!((0..4).all(|n| !flight.knows(&digest(n))));
    }
    #[tokio::test]
    async fn what_is_given_up_is_forgotten_once_nobody_waits_for_it() {
        let (flight, digest) = (SingleFlight::<u32>::new(3, |_| 1), Digest::sha256(b""));
        let given_up = flight.get(&digest, |_| true, || async { future::pending().await });
        assert!(given_up.now_or_never().is_none());
        assert!(!flight.knows(&digest));

        let mut first = Box::pin(flight.get(
            &digest,
            |_| false,
            || async {
                tokio::task::yield_now().await;
                1
            },
        ));
        assert!((&mut first).now_or_never().is_none());
        let mut second = Box::pin(flight.get(&digest, |_| true, || async { 2 }));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(first.await, 1);
        assert!(flight.knows(&digest), "another waits");
        assert_eq!(second.await, 2);
        assert!(flight.has(&digest));
    }
}
