//! Tags of one image: one of them brings it, and the others wait until it is there without taking up anybody's place.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use moorage_domain::Digest;
use tokio::sync::watch;

/// Who brings which image. Those who wait have a receiver, and hear of its end when the sender goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leads(Arc<Mutex<HashMap<Digest, watch::Sender<()>>>>);

/// The right to bring an image, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lead {
    leads: Leads,
    image: Digest,
}

impl Leads {
    /// The right to bring an image, if nobody else has it; else waits until that one is done with it, and has nothing.
    pub(crate) async fn take(&self, image: &Digest) -> Option<Lead> {
        let mut other = {
            let mut leads = self.lock();
            let Some(other) = leads.get(image) else {
                leads.insert(image.clone(), watch::Sender::new(()));
                return Some(Lead { leads: self.clone(), image: image.clone() });
            };
            other.subscribe()
        };
        // Nothing is ever sent. Where the image has not come, all who have waited try it at once: one after the other they
        // might wait for hours.
        let _ended = other.changed().await;
        None
    }

    /// Tells all who wait for an image that they need not any more.
    pub(crate) fn end(&self, image: &Digest) {
        self.lock().remove(image);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, watch::Sender<()>>> {
        // Each entry stays true after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.leads.end(&self.image);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn one_leads_and_the_others_wait_for_its_end() {
        let (leads, image, is_there) = (Leads::default(), Digest::sha256(b""), AtomicBool::new(false));
        let led = AtomicU32::new(0);
        let one = || async {
            if let Some(_lead) = leads.take(&image).await {
                led.fetch_add(1, Relaxed);
                tokio::task::yield_now().await;
                is_there.store(true, Relaxed);
            }
            assert!(is_there.load(Relaxed));
        };
        join_all((0..10).map(|_| one())).await;
        assert_eq!(led.into_inner(), 1);
        assert!(leads.lock().is_empty());
    }

    #[tokio::test]
    async fn who_leads_may_go_away_and_other_images_have_their_own() {
        let (leads, image) = (Leads::default(), Digest::sha256(b""));
        let first = leads.take(&image).await.unwrap();
        assert!(leads.take(&Digest::sha256(b"another")).await.is_some());
        let (next, ()) = tokio::join!(leads.take(&image), async { drop(first) });
        assert!(next.is_none());
        let first = leads.take(&image).await.unwrap();
        let (next, ()) = tokio::join!(leads.take(&image), async { leads.end(&image) });
        assert!(next.is_none(), "it is there before {first:?} is done with its tag");
    }
}
