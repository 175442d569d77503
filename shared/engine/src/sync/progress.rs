//! What a run counts and remembers of its tags.

#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use moorage_domain::{
    Digest, FailureReason, TagName, Warning,
    failure::Failure,
    gate::Judgement,
    plan::{Cause, HeldTag},
    referrers::is_attached_tag,
    run::{Compared, Outcome, Progress as Counts, TagOutcome},
};
use tokio::sync::Notify;

use crate::sync::{losses::Losses, tag_set::TagSet};

/// Outcomes that wait for the table, at most some more: a few megabytes, whatever a registry makes of its tags.
const QUEUE_LENGTH: usize = 4_000;

/// The counters and outcomes of one run.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    inner: Mutex<Inner>,
    /// What could not be had of what is attached to images.
    pub(crate) losses: Losses,
    /// The queue is full.
    full: Notify,
    /// Something was taken out of the queue.
    drained: Notify,
}

/// Tags by outcome, each tag once.
#[derive(Debug, Default)]
struct Tally {
    counts: Counts,
    /// The attachments among them: only these may have two outcomes, as the registry's tag and as what was added to it.
    attached: TagSet,
}

impl Tally {
    fn count(&mut self, outcome: &TagOutcome) {
        if is_attached_tag(&outcome.tag) && !matches!(outcome.outcome, Outcome::Pruned | Outcome::Held) {
            if self.attached.contains(&outcome.tag) {
                add(&mut self.counts.tags_failed, u64::from(outcome.failure.is_some()));
                return;
            }
            self.attached.insert(&outcome.tag);
        }
        self.counts.count(outcome);
    }

    /// The counters of `run`, but those of tags.
    fn take_up(&mut self, run: Counts) {
        let tags = self.counts;
        self.counts = Counts {
            tags_done: tags.tags_done,
            tags_copied: tags.tags_copied,
            tags_unchanged: tags.tags_unchanged,
            tags_repaired: tags.tags_repaired,
            tags_skipped: tags.tags_skipped,
            tags_failed: tags.tags_failed,
            tags_held: tags.tags_held,
            tags_pruned: tags.tags_pruned,
            ..run
        };
    }
}

#[derive(Debug, Default)]
struct Inner {
    tally: Tally,
    /// How many earlier invocations wanted in all. What they did not finish is wanted anew, tag by tag: until then.
    bytes_expected: u64,
    /// Outcomes that the table does not have yet, the oldest first.
    queue: Vec<TagOutcome>,
    failure: Option<Failure>,
    failed: TagSet,
    compared: Compared,
}

impl Inner {
    /// Done is never more than there is in all: attachments are done that were not known of when the run began, and a body
    /// may come more than once.
    fn counts(&self) -> Counts {
        let counts = self.tally.counts;
        let tags_total = counts.tags_total.max(counts.tags_done);
        let bytes_total = counts.bytes_total.max(counts.bytes_done).max(self.bytes_expected);
        Counts { tags_total, bytes_total, ..counts }
    }
}

/// What a run's earlier invocations have done with its tags.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    /// The tags that they have dealt with.
    pub(crate) done: TagSet,
    /// Those of them that were copied.
    pub(crate) copied: TagSet,
    /// Those that wait at the gate.
    pub(crate) gated: TagSet,
    /// Those that failed.
    failed: TagSet,
    /// The first failure.
    failure: Option<Failure>,
    tally: Tally,
}

impl Earlier {
    /// Adds what became of a tag.
    pub(crate) fn add(&mut self, outcome: TagOutcome) {
        self.tally.count(&outcome);
        if outcome.is_gated() {
            self.gated.insert(&outcome.tag);
        }
        if outcome.is_gated() || !matches!(outcome.outcome, Outcome::Pruned | Outcome::Held) {
            self.done.insert(&outcome.tag);
        }
        if outcome.outcome == Outcome::Copied {
            self.copied.insert(&outcome.tag);
        }
        if let Some(failure) = outcome.failure {
            self.failed.insert(&outcome.tag);
            self.failure.get_or_insert(failure);
        }
    }
}

impl Progress {
    /// The counters of a run that goes on. Bytes of what was not finished are wanted anew, and tags are counted by what is
    /// known of each: what the last invocation counted and did not come to write is done anew.
    pub(crate) fn resume(counts: Counts, warning: Option<Warning>, earlier: &mut Earlier) -> Self {
        let mut tally = std::mem::take(&mut earlier.tally);
        tally.take_up(Counts { bytes_total: counts.bytes_done, ..counts });
        let inner = Inner {
            tally,
            bytes_expected: counts.bytes_total,
            queue: Vec::new(),
            failure: earlier.failure.take(),
            failed: std::mem::take(&mut earlier.failed),
            compared: Compared::default(),
        };
        Self { inner: Mutex::new(inner), losses: Losses::resume(warning), ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Counters stay usable after a panic elsewhere.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with comparing the bucket's tags with the table's where earlier invocations have come to.
    pub(crate) fn go_on_comparing(&self, compared: Compared) {
        self.lock().compared = compared;
    }

    /// How far that is.
    pub(crate) fn compared(&self) -> Compared {
        self.lock().compared.clone()
    }

    /// Notes that it has come so far.
    pub(crate) fn compared_to(&self, compared: Compared) {
        let mut inner = self.lock();
        inner.compared = compared;
        add(&mut inner.tally.counts.tags_compared, 1);
    }

    /// Notes that a tag was dealt with that the table lacked.
    pub(crate) fn compared_one(&self) {
        add(&mut self.lock().tally.counts.tags_compared, 1);
    }

    /// Counts the selected tags.
    pub(crate) fn selected(&self, tags: usize) {
        self.lock().tally.counts.tags_total = tags as u64;
    }

    /// Counts no more tags than have an outcome, nor bytes than somebody wanted: every tag that is to have one has it.
    pub(crate) fn complete(&self) {
        let mut inner = self.lock();
        inner.bytes_expected = 0;
        let counts = &mut inner.tally.counts;
        counts.tags_total = counts.tags_done;
    }

    /// Notes what the repository's tags hold now that all are copied.
    pub(crate) fn stores(&self, bytes: u64) {
        self.lock().tally.counts.bytes_stored = bytes;
    }

    /// Counts tags of what is attached to the selected ones.
    pub(crate) fn attached(&self, tags: usize) {
        add(&mut self.lock().tally.counts.tags_total, tags as u64);
    }

    /// Counts bytes that are wanted.
    pub(crate) fn want(&self, bytes: u64) {
        add(&mut self.lock().tally.counts.bytes_total, bytes);
    }

    /// Counts wanted bytes that the bucket had.
    pub(crate) fn done(&self, bytes: u64) {
        add(&mut self.lock().tally.counts.bytes_done, bytes);
    }

    /// Takes back wanted bytes that an earlier invocation of the run has counted.
    pub(crate) fn counted(&self, bytes: u64) {
        take(&mut self.lock().tally.counts.bytes_total, bytes);
    }

    /// Counts wanted bytes that came from the registry.
    pub(crate) fn received(&self, bytes: u64) {
        let mut inner = self.lock();
        add(&mut inner.tally.counts.bytes_done, bytes);
        add(&mut inner.tally.counts.bytes_copied, bytes);
    }

    /// Counts a blob, part of a blob, or manifest that was not in the bucket before.
    pub(crate) fn stored(&self) {
        add(&mut self.lock().tally.counts.objects_stored, 1);
    }

    /// Takes back bytes that came and were of no use.
    pub(crate) fn lost(&self, bytes: u64) {
        take(&mut self.lock().tally.counts.bytes_done, bytes);
    }

    /// Records what became of a tag.
    pub(crate) fn outcome(&self, tag: &TagName, outcome: Outcome, digest: Option<Digest>) {
        self.judged(tag, outcome, digest, None);
    }

    /// As [`Self::outcome`], with what the gate said of the tag.
    pub(crate) fn judged(&self, tag: &TagName, outcome: Outcome, digest: Option<Digest>, gate: Option<Judgement>) {
        self.record(TagOutcome { digest, gate, ..TagOutcome::new(tag.clone(), outcome) });
    }

    /// As [`Self::outcome`], of a tag that pointed to something before.
    pub(crate) fn moved(&self, tag: &TagName, outcome: Outcome, digest: Digest, before: Option<&HeldTag>) {
        let from = before.map(|before| before.digest.clone());
        self.record(TagOutcome { digest: Some(digest), from, ..TagOutcome::new(tag.clone(), outcome) });
    }

    /// Records that a tag was deleted, or is held, and why it is not to stay.
    pub(crate) fn obsolete(&self, tag: &TagName, outcome: Outcome, cause: Cause, gate: Option<Judgement>) {
        self.record(TagOutcome { cause: Some(cause), gate, ..TagOutcome::new(tag.clone(), outcome) });
    }

    /// Records that a tag failed, or that its content was refused, with what the gate said of it.
    pub(crate) fn failure(&self, tag: &TagName, failure: Failure, gate: Option<Judgement>) {
        let refused = matches!(failure.reason, FailureReason::ContentRefused | FailureReason::SignatureRefused);
        let outcome = if refused { Outcome::Refused } else { Outcome::Failed };
        let failure = failure.cut();
        self.record(TagOutcome { failure: Some(failure), gate, ..TagOutcome::new(tag.clone(), outcome) });
    }

    /// Records an outcome.
    pub(crate) fn record(&self, outcome: TagOutcome) {
        let mut inner = self.lock();
        inner.tally.count(&outcome);
        if let Some(failure) = &outcome.failure {
            inner.failure.get_or_insert_with(|| failure.clone());
            inner.failed.insert(&outcome.tag);
        }
        inner.queue.push(outcome);
    }

    /// Waits until the queue takes the outcomes of some more tags.
    pub(crate) async fn queue_ready(&self) {
        loop {
            let drained = self.drained.notified();
            if self.lock().queue.len() < QUEUE_LENGTH {
                return;
            }
            self.full.notify_one();
            drained.await;
        }
    }

    /// Returns when somebody waits for the queue.
    pub(crate) async fn queue_full(&self) {
        self.full.notified().await;
    }

    /// The counters now.
    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts()
    }

    /// The first failure, and the tags that failed.
    pub(crate) fn failures(&self) -> (Option<Failure>, TagSet) {
        let inner = self.lock();
        (inner.failure.clone(), inner.failed.clone())
    }

    /// The outcomes in the queue, and the counters with them.
    pub(crate) fn queued(&self) -> (Vec<TagOutcome>, Counts) {
        let inner = self.lock();
        (inner.queue.clone(), inner.counts())
    }

    /// Takes the first `count` outcomes out of the queue: the table has them.
    pub(crate) fn dequeue(&self, count: usize) {
        let mut inner = self.lock();
        let count = count.min(inner.queue.len());
        inner.queue.drain(..count);
        drop(inner);
        self.drained.notify_waiters();
    }
}

/// Adds to a counter. What is added may be a registry's number.
fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
}

/// Takes from a counter what was added to it before.
fn take(count: &mut u64, less: u64) {
    *count = count.saturating_sub(less);
}
