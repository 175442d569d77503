//! What a run counts, and how that reaches the table while it goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorage_domain::{
    Digest, FailureReason, RateLimit, TagName,
    failure::Failure,
    mirror::MirrorConfig,
    run::{Outcome, Progress as Counts, Run, TagOutcome, Upstream},
};
use moorage_state::{Account, StateError, Table};
use moorage_upstream::Meter;
use tokio_util::sync::CancellationToken;

use crate::{claim::Claim, error::WorkError, report};

/// The counters and outcomes of one run.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    counts: Counts,
    /// Outcomes that the table does not have yet.
    fresh: Vec<TagOutcome>,
    failure: Option<Failure>,
    failed: Vec<TagName>,
}

impl Progress {
    /// The counters of a run that goes on. Bytes of what was not finished are wanted anew.
    pub(crate) fn resume(counts: Counts, outcomes: &[TagOutcome]) -> Self {
        let failed = || outcomes.iter().filter(|outcome| outcome.failure.is_some());
        let inner = Inner {
            counts: Counts { bytes_total: counts.bytes_done, ..counts },
            fresh: Vec::new(),
            failure: failed().find_map(|outcome| outcome.failure.clone()),
            failed: failed().map(|outcome| outcome.tag.clone()).collect(),
        };
        Self { inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Counters stay usable after a panic elsewhere.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the selected tags.
    pub(crate) fn selected(&self, tags: usize) {
        self.lock().counts.tags_total = tags as u64;
    }

    /// Counts tags of what is attached to the selected ones.
    pub(crate) fn attached(&self, tags: usize) {
        self.lock().counts.tags_total += tags as u64;
    }

    /// Counts bytes that are wanted.
    pub(crate) fn want(&self, bytes: u64) {
        self.lock().counts.bytes_total += bytes;
    }

    /// Counts wanted bytes that the bucket had.
    pub(crate) fn done(&self, bytes: u64) {
        self.lock().counts.bytes_done += bytes;
    }

    /// Takes back wanted bytes that an earlier invocation of the run has counted.
    pub(crate) fn counted(&self, bytes: u64) {
        self.lock().counts.bytes_total -= bytes;
    }

    /// Counts wanted bytes that came from the registry.
    pub(crate) fn received(&self, bytes: u64) {
        let mut inner = self.lock();
        inner.counts.bytes_done += bytes;
        inner.counts.bytes_copied += bytes;
    }

    /// Counts a blob, part of a blob, or manifest that was not in the bucket before.
    pub(crate) fn stored(&self) {
        self.lock().counts.objects_stored += 1;
    }

    /// Takes back bytes that came and were of no use.
    pub(crate) fn lost(&self, bytes: u64) {
        self.lock().counts.bytes_done -= bytes;
    }

    /// Records what became of a tag.
    pub(crate) fn outcome(&self, tag: &TagName, outcome: Outcome, digest: Option<Digest>) {
        self.record(TagOutcome { tag: tag.clone(), outcome, digest, failure: None });
    }

    /// Records that a tag failed, or that its content was refused.
    pub(crate) fn failure(&self, tag: &TagName, failure: Failure) {
        let refused = failure.reason == FailureReason::ContentRefused;
        let outcome = if refused { Outcome::Refused } else { Outcome::Failed };
        self.record(TagOutcome { tag: tag.clone(), outcome, digest: None, failure: Some(failure) });
    }

    fn record(&self, outcome: TagOutcome) {
        let mut inner = self.lock();
        inner.counts.count(outcome.outcome);
        if let Some(failure) = &outcome.failure {
            inner.failure.get_or_insert_with(|| failure.clone());
            inner.failed.push(outcome.tag.clone());
        }
        inner.fresh.push(outcome);
    }

    /// The counters now.
    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// The first failure, and the tags that failed.
    pub(crate) fn failures(&self) -> (Option<Failure>, Vec<TagName>) {
        let inner = self.lock();
        (inner.failure.clone(), inner.failed.clone())
    }

    fn fresh(&self) -> Vec<TagOutcome> {
        self.lock().fresh.clone()
    }

    /// Forgets the first `count` fresh outcomes: the table has them.
    fn written(&self, count: usize) {
        self.lock().fresh.drain(..count);
    }
}

/// Writes a run's progress to the table.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) table: Table,
    pub(crate) config: MirrorConfig,
    pub(crate) progress: Arc<Progress>,
    pub(crate) run: Run,
    /// The number of the next item of outcomes.
    pub(crate) outcomes: u32,
    /// What earlier invocations of the run asked of the registry.
    pub(crate) before: Upstream,
    pub(crate) meter: Meter,
    pub(crate) account: Account,
    /// What the table has of the registry's limit.
    pub(crate) limit: RateLimit,
}

impl Pump {
    /// Writes what has changed since the last call: the run, its tags, and the usage log.
    pub(crate) async fn flush(&mut self) -> Result<(), StateError> {
        let fresh = self.progress.fresh();
        let counts = Counts { upstream: self.before + self.meter.counts(), ..self.progress.counts() };
        let repository = &self.config.repository;
        self.outcomes = self.table.add_outcomes(repository, &self.run, self.outcomes, &fresh).await?;
        self.progress.written(fresh.len());
        let log: Vec<_> = fresh.iter().filter_map(|outcome| report::tag(&self.config, outcome)).collect();
        self.table.add_log(repository, &log).await?;
        if counts != self.run.progress {
            self.run.progress = counts;
            self.table.put_run(repository, &self.run).await?;
        }
        self.share_limit().await
    }

    /// Tells other syncs of the same identity what was seen of the registry's limit, and learns what they have seen.
    async fn share_limit(&mut self) -> Result<(), StateError> {
        let seen = self.meter.limit();
        if seen == RateLimit::default() {
            return Ok(());
        }
        if seen != self.limit {
            self.table.report_rate_limit(&self.account, seen).await?;
        }
        self.limit = self.table.rate_limit(&self.account).await?;
        self.meter.learn(self.limit);
        Ok(())
    }

    /// Renews the claim and flushes, until `stop` is called, or the claim is lost, which calls it. A table that fails
    /// is tried again each time: the claim's own expiration bounds that.
    pub(crate) async fn run(mut self, claim: Arc<Claim>, stop: CancellationToken) -> Self {
        let mut ticks = tokio::time::interval(claim.renewal_interval());
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return self,
                _ = ticks.tick() => {}
            }
            if matches!(claim.renew().await, Err(WorkError::ClaimLost)) || claim.check().is_err() {
                stop.cancel();
                return self;
            }
            if let Err(error) = self.flush().await {
                tracing::warn!(%error, "could not write the run's progress");
            }
        }
    }
}
