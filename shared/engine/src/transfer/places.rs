//! Places of what goes on at once, that are few at first: nobody knows yet how many requests a registry bears.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use moorage_domain::RateLimit;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Tags that are under way at once. Most of them wait: for a place, or for the first tag of their image, which may be that
/// of hundreds that follow each other.
pub(crate) const TAGS_IN_FLIGHT: usize = 512;
/// Images that are copied at once: what is not done when an invocation ends is begun anew by the next one.
const COPIES_IN_FLIGHT: usize = 96;
/// Tags at once whose image is there: they take two requests to S3, one after the other, and a share of a write to the
/// table. Those that are verified ask S3 for eight things, and with 15 ms for each 64 of them are 520 in a second.
const LINKS_IN_FLIGHT: usize = 64;
/// Tags that are to be copied of which the first are begun at once: an image of one layer takes four requests, and some
/// registries allow twenty in a minute.
const FIRST: usize = 4;
/// How many more are begun with each that is done: a registry that bears the first is soon asked as much as it may be. With
/// five all [`COPIES_IN_FLIGHT`] are under way after the second round; with more it is no sooner.
const MORE: usize = 5;
/// The same where the registry is known to limit requests: then whatever it allows is enough for one.
const FIRST_LIMITED: usize = 1;
const MORE_LIMITED: usize = 1;
/// Blobs that are an image: its config and a layer. Whoever has sent as many has been asked for all of an image.
const BLOBS: usize = 2;

/// The places of tags that are to be copied.
#[derive(Debug)]
pub(crate) struct TagPlaces {
    /// Of those that will have to be copied, from before they are asked for.
    pub(crate) ahead: Places,
    /// Of those that bring their image.
    pub(crate) copying: Places,
    /// Of those whose image is there.
    pub(crate) linking: Semaphore,
    /// How many blobs have come; nothing where the registry is known to limit requests.
    blobs: Option<AtomicUsize>,
}

impl TagPlaces {
    /// By what is known of the registry's limit.
    pub(crate) fn new(limit: RateLimit) -> Self {
        let is_limited = limit != RateLimit::default();
        let (first, more) = if is_limited { (FIRST_LIMITED, MORE_LIMITED) } else { (FIRST, MORE) };
        let places = |most| Places::new(first, more, most);
        Self {
            ahead: places(TAGS_IN_FLIGHT),
            copying: places(COPIES_IN_FLIGHT),
            linking: Semaphore::new(LINKS_IN_FLIGHT),
            blobs: (!is_limited).then(AtomicUsize::default),
        }
    }

    /// Notes that the registry has sent a blob. With each image that has come there are more places: what is left of it is
    /// between S3, the table and us.
    pub(crate) fn came(&self) {
        if self.blobs.as_ref().is_some_and(|blobs| blobs.fetch_add(1, Relaxed) % BLOBS == BLOBS - 1) {
            self.add();
        }
    }

    /// Notes that a tag is done: there are more places.
    pub(crate) fn add(&self) {
        self.ahead.add();
        self.copying.add();
    }
}

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

    #[test]
    fn an_image_that_has_come_makes_place_but_not_where_requests_are_limited() {
        let free =
            |places: &TagPlaces| (places.ahead.free.available_permits(), places.copying.free.available_permits());
        let places = TagPlaces::new(RateLimit::default());
        places.came();
        assert_eq!(free(&places), (FIRST, FIRST), "a part of an image is none");
        places.came();
        assert_eq!(free(&places), (FIRST + MORE, FIRST + MORE));
        (0..1_000).for_each(|_| places.came());
        assert_eq!(free(&places), (TAGS_IN_FLIGHT, COPIES_IN_FLIGHT));
        let limited = TagPlaces::new(RateLimit { remaining: Some(7), ..RateLimit::default() });
        (0..10).for_each(|_| limited.came());
        assert_eq!(free(&limited), (FIRST_LIMITED, FIRST_LIMITED));
        limited.add();
        assert_eq!(free(&limited).1, FIRST_LIMITED + MORE_LIMITED);
    }

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
