//! What could not be mirrored of what is attached to images. It fails nothing; the run says it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use moorage_domain::Warning;

/// Counters of one invocation.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    unasked: AtomicU64,
    missing: AtomicU64,
    taken: AtomicU64,
}

impl Losses {
    /// Counts images of which the registry did not say what refers to them.
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

    /// Whether the registry did not say of all images what refers to them.
    pub(crate) fn has_unasked(&self) -> bool {
        self.unasked.load(Relaxed) > 0
    }

    /// What is to be said of them, if there are any.
    pub(crate) fn warning(&self) -> Option<Warning> {
        let [unasked, missing, taken] = [&self.unasked, &self.missing, &self.taken].map(|count| count.load(Relaxed));
        let is_any = unasked > 0 || missing > 0 || taken > 0;
        is_any.then_some(Warning::AttachmentsIncomplete { unasked, missing, taken })
    }
}
