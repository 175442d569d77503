//! What could not be mirrored of what is attached to images. It fails nothing; the run says it.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use moorage_domain::{Digest, Warning};

/// Counters of one run.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    unasked: AtomicU64,
    missing: AtomicU64,
    taken: AtomicU64,
    /// Images of which the next sync asks again what refers to them.
    again: Mutex<BTreeSet<Digest>>,
}

impl Losses {
    /// Goes on with what earlier invocations of the run have said. Images of which it is not known what refers to them are
    /// asked for, and counted, again.
    pub(crate) fn resume(warning: Option<Warning>) -> Self {
        let Some(Warning::AttachmentsIncomplete { missing, taken, .. }) = warning else { return Self::default() };
        Self { missing: missing.into(), taken: taken.into(), ..Self::default() }
    }

    /// Counts images of which it is not known what refers to them.
    pub(crate) fn unasked(&self, images: usize) {
        self.unasked.fetch_add(images as u64, Relaxed);
    }

    /// Counts referrers that could not be had.
    pub(crate) fn missing(&self, referrers: usize) {
        self.missing.fetch_add(referrers as u64, Relaxed);
    }

    /// Counts an image whose referrers have no place, because their tag is an image.
    pub(crate) fn taken(&self) {
        self.taken.fetch_add(1, Relaxed);
    }

    /// Has the next sync ask what refers to an image.
    pub(crate) fn ask_again(&self, image: &Digest) {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).insert(image.clone());
    }

    /// The images of which the next sync asks what refers to them.
    pub(crate) fn again(&self) -> BTreeSet<Digest> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is to be said of them, if there are any.
    pub(crate) fn warning(&self) -> Option<Warning> {
        let [unasked, missing, taken] = [&self.unasked, &self.missing, &self.taken].map(|count| count.load(Relaxed));
        let is_any = unasked > 0 || missing > 0 || taken > 0;
        is_any.then_some(Warning::AttachmentsIncomplete { unasked, missing, taken })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_invocations_have_lost_is_said_at_the_end() {
        let losses = Losses::default();
        losses.unasked(3);
        losses.missing(2);
        losses.taken();
        assert_eq!(losses.warning(), Some(Warning::AttachmentsIncomplete { unasked: 3, missing: 2, taken: 1 }));
        let next = Losses::resume(losses.warning());
        next.missing(1);
        assert_eq!(next.warning(), Some(Warning::AttachmentsIncomplete { unasked: 0, missing: 3, taken: 1 }));
        assert_eq!(Losses::resume(Some(Warning::ListIncomplete { tags: 1 })).warning(), None);
    }
}
