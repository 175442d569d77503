//! Room for what manifests list: an index may list thousands of others, and then few are copied beside it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use moorage_domain::Digest;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// Manifests of tags that are read at once, or wait until there is room for what they list.
const OPENED_IN_FLIGHT: usize = 16;
/// What the manifests of all images list that are copied at once, with half a kilobyte and more for each.
const WIDTH_IN_FLIGHT: u32 = 8_000;

/// Room that the images of tags wait for. What an image lists may be that of another tag, too, which waits for room itself:
/// as soon as it is needed, it goes on without, as all does that is below another. So who has room waits for nobody without.
#[derive(Debug)]
pub(crate) struct Room {
    opened: Semaphore,
    width: Semaphore,
    /// The manifests that others list which are copied, and how many do.
    needed: Mutex<HashMap<Digest, usize>>,
    /// There are more of those.
    more: Notify,
}

/// Manifests that are needed as long as this is there.
#[derive(Debug)]
pub(crate) struct Needed<'a> {
    room: &'a Room,
    digests: Vec<Digest>,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self {
            opened: Semaphore::new(OPENED_IN_FLIGHT),
            width: Semaphore::new(WIDTH_IN_FLIGHT as usize),
            needed: Mutex::default(),
            more: Notify::new(),
        }
    }

    /// Reads a tag's manifest, and waits until there is room for what it lists, as `width` tells, unless another one needs
    /// it: it has that room as long as it has the result's second part.
    pub(crate) async fn with_room<T, E>(
        &self,
        digest: &Digest,
        read: impl Future<Output = Result<T, E>>,
        width: impl Fn(&T) -> usize,
    ) -> Result<(T, Option<SemaphorePermit<'_>>), E> {
        let _place = self.unless_needed(digest, self.opened.acquire()).await;
        let opened = read.await?;
        let width = u32::try_from(width(&opened)).unwrap_or(u32::MAX).min(WIDTH_IN_FLIGHT);
        let room = self.unless_needed(digest, self.width.acquire_many(width)).await;
        Ok((opened, room))
    }

    /// Tells that an image which is copied lists these, so that they wait for no room.
    pub(crate) fn need(&self, digests: Vec<Digest>) -> Needed<'_> {
        {
            let mut needed = self.lock();
            for digest in &digests {
                let count = needed.entry(digest.clone()).or_default();
                *count = count.saturating_add(1);
            }
        }
        self.more.notify_waiters();
        Needed { room: self, digests }
    }

    /// Waits for places, but not where others wait for this one.
    async fn unless_needed<'a, E>(
        &self,
        digest: &Digest,
        places: impl Future<Output = Result<SemaphorePermit<'a>, E>>,
    ) -> Option<SemaphorePermit<'a>> {
        tokio::select! {
            biased;
            // Nobody closes them.
            places = places => places.ok(),
            () = self.is_needed(digest) => None,
        }
    }

    async fn is_needed(&self, digest: &Digest) {
        loop {
            // It hears of all that comes after this, whether it waits already or not.
            let more = self.more.notified();
            if self.lock().contains_key(digest) {
                return;
            }
            more.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, usize>> {
        // Counts stay what they are after a panic elsewhere.
        self.needed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Needed<'_> {
    fn drop(&mut self) {
        let mut needed = self.room.lock();
        for digest in &self.digests {
            if let Some(count) = needed.get_mut(digest) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    needed.remove(digest);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::ready, time::Duration};

    use futures_util::FutureExt as _;

    use super::*;

    const WIDE: usize = WIDTH_IN_FLIGHT as usize;

    fn digest(of: &str) -> Digest {
        Digest::sha256(of.as_bytes())
    }

    /// An image that lists so much.
    async fn image<'a>(room: &'a Room, name: &str, width: usize) -> Option<SemaphorePermit<'a>> {
        let name = digest(name);
        let read = ready(Ok::<_, ()>(width));
        room.with_room(&name, read, |width| *width).await.ok().and_then(|(_, room)| room)
    }

    #[tokio::test]
    async fn a_wide_one_has_all_room_for_itself() {
        let room = Room::new();
        let one = image(&room, "wide", WIDE * 3).await;
        assert!(one.is_some());
        assert!(image(&room, "small", 1).now_or_never().is_none(), "it waits");
        drop(one);
        assert!(image(&room, "small", 1).await.is_some());
        assert_eq!(room.width.available_permits(), WIDE);
    }

    #[tokio::test]
    async fn what_another_needs_waits_for_no_room() {
        let room = Room::new();
        let _wide = image(&room, "wide", WIDE).await;
        let child = image(&room, "child", 1);
        let needed = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            room.need(vec![digest("other"), digest("child")])
        };
        let (had, needed) = tokio::join!(child, needed);
        assert!(had.is_none(), "it goes on without");
        assert!(image(&room, "child", 1).await.is_none(), "and one that comes later, at once");
        assert!(image(&room, "stranger", 1).now_or_never().is_none());
        drop(needed);
        assert!(image(&room, "child", 1).now_or_never().is_none(), "nobody needs it any more");
        assert!(room.lock().is_empty());
    }

    #[tokio::test]
    async fn what_another_needs_is_read_however_many_wait() {
        let room = Room::new();
        let _wide = image(&room, "wide", WIDE).await;
        let mut waiting: Vec<_> = (0..OPENED_IN_FLIGHT).map(|_| Box::pin(image(&room, "waits", 1))).collect();
        assert!(waiting.iter_mut().all(|image| image.now_or_never().is_none()));
        assert_eq!(room.opened.available_permits(), 0);
        let _twice = (room.need(vec![digest("child")]), room.need(vec![digest("child")]));
        assert!(image(&room, "child", 1).await.is_none());
    }
}
