//! Work that is done once per run, however many ask for it.

use std::{collections::HashMap, future::Future, sync::Arc};

use moorage_domain::Digest;
use tokio::sync::{Mutex, OnceCell};

/// Results by digest. Whoever asks first does the work; the others wait and get the same result, failures included: a
/// blob that ten images want and that cannot be had is asked for once, not ten times.
#[derive(Debug)]
pub(crate) struct Once<T> {
    cells: Mutex<HashMap<Digest, Arc<OnceCell<T>>>>,
}

impl<T: Clone> Once<T> {
    pub(crate) fn new() -> Self {
        Self { cells: Mutex::new(HashMap::new()) }
    }

    /// The result for `digest`, by `work` if nobody has asked before.
    pub(crate) async fn get<F>(&self, digest: &Digest, work: impl FnOnce() -> F) -> T
    where
        F: Future<Output = T>,
    {
        let cell = Arc::clone(self.cells.lock().await.entry(digest.clone()).or_default());
        cell.get_or_init(work).await.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn work_is_done_once_even_if_it_fails() {
        let (once, calls) = (Once::<Result<u32, ()>>::new(), AtomicU32::new(0));
        let digest = Digest::sha256(b"");
        let work = || async {
            calls.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Err(())
        };
        let results = futures_util::future::join_all((0..10).map(|_| once.get(&digest, work))).await;
        assert_eq!(results, vec![Err(()); 10]);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}
