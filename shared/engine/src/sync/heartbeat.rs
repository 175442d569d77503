//! The heartbeat of a run: every few seconds it renews the claim, and writes what the run counts to the table.

use std::{sync::Arc, time::Instant};

use moorage_domain::{
    FailureReason, RateLimit,
    failure::Failure,
    mirror::MirrorConfig,
    run::{Progress as Counts, Run, TagOutcome, Upstream},
};
use moorage_state::{Account, Claim, StateError, Table, TransitionError};
use moorage_upstream::Meter;
use tokio_util::sync::CancellationToken;

use crate::{
    fault::caught,
    sync::{progress::Progress, report, tab::Tab},
};

/// What beats while the steps work.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    pub(crate) table: Table,
    pub(crate) config: MirrorConfig,
    pub(crate) progress: Arc<Progress>,
    pub(crate) tab: Arc<Tab>,
    pub(crate) run: Run,
    /// What earlier invocations of the run asked of the registry.
    pub(crate) before: Upstream,
    pub(crate) meter: Meter,
    pub(crate) account: Account,
    /// What the table has of the registry's limit.
    pub(crate) limit: RateLimit,
    /// The fewest bytes that the run has to move in an hour; 0 for any.
    pub(crate) min_bytes_per_hour: u64,
    /// The steps that were done when this invocation began.
    pub(crate) begun: u64,
    /// When it was last looked at how fast the run moves.
    pub(crate) looked_at: Instant,
    /// Outcomes that the table has, and the usage log does not.
    pub(crate) unlogged: Vec<TagOutcome>,
    /// Why the run is not to go on.
    pub(crate) failure: Option<Failure>,
}

impl Heartbeat {
    /// Writes what has changed since the last call: the run, its tags, and the usage log.
    /// [`TransitionError::ClaimLost`] if another attempt at the run has begun: then nobody sees any of it.
    pub(crate) async fn flush(&mut self) -> Result<(), TransitionError> {
        self.gather().await?;
        let repository = &self.config.repository;
        self.table.put_run(repository, &self.run).await?;
        let log: Vec<_> = self.unlogged.iter().filter_map(|outcome| report::tag(&self.config, outcome)).collect();
        self.table.add_log(repository, &log).await?;
        // What was not written is written the next time: rather twice than not at all.
        self.unlogged.clear();
        Ok(self.share_limit().await?)
    }

    /// As [`Self::flush`], before the run is written with how this invocation ends: until then it is not, unless something
    /// is told, or asked for again, of what it counts.
    pub(crate) async fn finish(&mut self) -> Result<(), TransitionError> {
        self.gather().await?;
        let is_told = |outcome: &TagOutcome| report::tag(&self.config, outcome).is_some();
        if self.run.hinted.is_some() || self.unlogged.iter().any(is_told) {
            return self.flush().await;
        }
        Ok(self.share_limit().await?)
    }

    /// Writes the outcomes, and puts down in the run what it counts: they are seen once that is written.
    async fn gather(&mut self) -> Result<(), StateError> {
        let (outcomes, counts) = self.progress.queued();
        let counts = Counts { upstream: self.before + self.meter.counts(), ..counts };
        let repository = &self.config.repository;
        self.table.add_outcomes(repository, &mut self.run, &outcomes).await?;
        self.progress.dequeue(outcomes.len());
        self.unlogged.extend(outcomes);
        // For the next invocation, too.
        self.run.warning = self.progress.losses.warning();
        self.run.compared = self.progress.compared();
        self.run.progress = counts;
        self.run.rate_limit = self.meter.limit().left(self.run.started_at).or(self.run.rate_limit);
        // Each time: what it has used is always more than it was.
        self.tab.count(&mut self.run);
        Ok(())
    }

    /// Tells other syncs of the same account what was seen of the registry's limit, and learns what they have seen.
    async fn share_limit(&mut self) -> Result<(), StateError> {
        let seen = self.meter.limit();
        if seen == RateLimit::default() {
            return Ok(());
        }
        self.limit = if seen == self.limit {
            self.table.rate_limit(&self.account).await?
        } else {
            self.table.report_rate_limit(&self.account, seen).await?
        };
        self.meter.learn(self.limit);
        Ok(())
    }

    /// Renews the claim and flushes, until `stop` is called, or the run is not to go on, which calls it. A table that fails
    /// is tried again each time: the claim's own expiration bounds that.
    pub(crate) async fn beat(mut self, claim: Arc<Claim>, stop: CancellationToken) -> Self {
        if let Err(fault) = caught(Box::pin(self.keep(&claim, &stop))).await {
            self.failure = Some(fault);
        }
        stop.cancel();
        self
    }

    async fn keep(&mut self, claim: &Claim, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(claim.renewal_interval());
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {
                    match claim.renew().await {
                        Ok(()) => {}
                        Err(TransitionError::ClaimLost) => return,
                        Err(error) => tracing::warn!(%error, "the claim was not renewed"),
                    }
                }
                () = self.progress.queue_full() => {}
            }
            if claim.check().is_err() {
                return;
            }
            match self.flush().await {
                // What the table has of it is not done again by whoever comes after a kill.
                Ok(()) if self.run.progress.steps() != self.begun => claim.moved(),
                Ok(()) => {}
                Err(TransitionError::State(error)) => tracing::warn!(%error, "could not write the run's progress"),
                Err(_) => return,
            }
            self.look();
            if self.failure.is_some() {
                return;
            }
        }
    }

    /// Looks how fast the run moves. Time counts only while somebody calls this.
    pub(crate) fn look(&mut self) {
        let (now, counts) = (Instant::now(), self.run.progress);
        let worked = now.saturating_duration_since(std::mem::replace(&mut self.looked_at, now));
        let tags = counts.tags_done.saturating_add(counts.tags_pruned).saturating_add(counts.tags_compared);
        let slow = self.run.pace.add(worked, counts.upstream.bytes_read, tags, self.min_bytes_per_hour);
        let Some(slow) = slow else { return };
        let message = format!(
            "the registry sent {} bytes in {} seconds and no tag was finished: this installation ends syncs that move less \
             than {} bytes in an hour (its parameter MinBytesPerHour)",
            slow.bytes, slow.seconds, self.min_bytes_per_hour
        );
        self.failure = Some(Failure::new(FailureReason::NetworkTimeout, message));
    }
}
