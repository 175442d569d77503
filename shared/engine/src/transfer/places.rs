//! Places of what goes on at once, that are few at first: nobody knows yet how many requests a registry bears.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Some places, and more with each thing that is done, up to a number.
#[derive(Debug)]
pub(crate) struct Places {
    free: Semaphore,
    /// How many come with each thing that is done.
    each: usize,
    /// How many more there may be.
    more: AtomicUsize,
}

impl Places {
    /// `first` places, `each` more with each thing that is done, and at most `most` in the end.
    pub(crate) fn new(first: usize, each: usize, most: usize) -> Self {
        Self { free: Semaphore::new(first), each, more: AtomicUsize::new(most.saturating_sub(first)) }
    }

    /// Waits for a place; it is taken until the result is dropped.
    pub(crate) async fn take(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it.
        self.free.acquire().await.ok()
    }

    /// Adds places, as far as there may be more.
    pub(crate) fn add(&self) {
        let take = |more: usize| Some(more.saturating_sub(self.each));
        if let Ok(more) = self.more.fetch_update(Relaxed, Relaxed, take) {
            self.free.add_permits(more.min(self.each));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_are_more_with_each_thing_that_is_done_and_never_too_many() {
        let places = Places::new(1, 2, 6);
        let one = places.take().await;
        assert_eq!(places.free.available_permits(), 0);
        places.add();
        assert_eq!(places.free.available_permits(), 2);
        (0..5).for_each(|_| places.add());
        assert_eq!(places.free.available_permits(), 5);
        drop(one);
        assert_eq!(places.free.available_permits(), 6);
    }
}
