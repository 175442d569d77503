//! One collection: its stages, over as many invocations as they take.

use std::time::{Duration, Instant};

use moorage_domain::{
    Timestamp,
    collection::{CollectRequest, Collection, Stage},
};
use moorage_runtime::{Metric, Unit, emit};
use moorage_state::now;
use uuid::Uuid;

use crate::{
    clock::Clock,
    collector::{CollectError, Collector},
    repositories::KILLED,
};

/// How long the lease lasts unless it is prolonged: a little more than the longest invocation.
const LEASE: Duration = Duration::from_secs(16 * 60);
/// How long it is left to the next invocation: one that comes later finds it free, unless another one was faster.
const HANDOVER: Duration = Duration::from_secs(2 * 60);
/// Unfinished uploads that are older are given up: syncs forget theirs after six days.
const UPLOAD_AGE: Duration = Duration::from_secs(7 * 86_400);
/// The most invocations of one collection: 10 days of them.
const MAX_INVOCATIONS: u32 = 1_000;
/// How long after its beginning a collection that was broken off is gone on with, instead of another one being begun.
const MAX_AGE: Duration = Duration::from_secs(7 * 86_400);
/// Dollars for a thousand lists of up to a thousand keys each (S3 Standard, us-east-1, November 2026).
const DOLLARS_PER_LIST: f64 = 0.005 / 1_000.0;
/// Keys in one list.
const KEYS_PER_LIST: f64 = 1_000.0;

/// How an invocation ended.
#[derive(Debug)]
pub enum Ended {
    /// The collection came to its end.
    Done(Box<Collection>),
    /// It goes on in another invocation, by this request.
    Unfinished(CollectRequest, Box<Collection>),
    /// It was given up: it took more invocations than it may.
    GivenUp(Box<Collection>),
    /// Another collector is at work.
    Busy,
}

impl Collector {
    /// Collects, until it is done or half of the time until `deadline` is over. Without a name in the request it goes on
    /// with a collection of its kind that was broken off, if the last one was.
    pub async fn collect(&self, request: CollectRequest, deadline: Instant) -> Result<Ended, CollectError> {
        let clock = Clock::new(Instant::now(), deadline);
        let broken_off = if request.run_id.is_none() { self.broken_off(request).await? } else { None };
        let run_id = request.run_id.or(broken_off);
        let holder = Uuid::new_v4();
        // Earlier builds left the lease to the collection itself.
        let before = request.lease.or(request.run_id);
        if !self.table.take_collector_lease(holder, before, now().plus(LEASE), now()).await? {
            return Ok(Ended::Busy);
        }
        let mut ended = self.go_on(run_id, request, broken_off.is_some(), &clock).await;
        if let Ok(Ended::Unfinished(request, _)) = &mut ended {
            let next = Uuid::new_v4();
            self.table.take_collector_lease(next, Some(holder), now().plus(HANDOVER), now()).await?;
            request.lease = Some(next);
        } else {
            // After a failure anybody may go on with it.
            self.table.give_up_collector_lease(holder).await?;
        }
        ended
    }

    /// The last collection that was to do what is asked for, if it has not come to its end: its invocation was killed, or
    /// the next one did not begin.
    async fn broken_off(&self, request: CollectRequest) -> Result<Option<Uuid>, CollectError> {
        let is_alike = |it: &Collection| (it.dry_run, it.force) == (request.dry_run, request.force);
        let last = self.table.newest_collection(is_alike).await?;
        let goes_on = |it: &Collection| {
            it.stage != Stage::Done && it.invocations < MAX_INVOCATIONS && it.started_at.plus(MAX_AGE) > now()
        };
        Ok(last.filter(goes_on).map(|it| it.run_id))
    }

    async fn go_on(
        &self,
        run_id: Option<Uuid>,
        request: CollectRequest,
        was_broken_off: bool,
        clock: &Clock,
    ) -> Result<Ended, CollectError> {
        let known = match run_id {
            Some(run_id) => self.table.newest_collection(|it| it.run_id == run_id).await?,
            None => None,
        };
        let run_id = run_id.unwrap_or_else(Uuid::now_v7);
        let mut collection = known.unwrap_or_else(|| Collection::new(run_id, request, now()));
        if collection.stage == Stage::Done {
            // It was just ended by whoever was at work.
            return Ok(Ended::Busy);
        }
        let before = self.table.newest_collection(|it| it.run_id != run_id && it.measure().is_some()).await?;
        let before = before.and_then(|it| it.measure());
        collection.invocations = collection.invocations.saturating_add(1);
        collection.turns = collection.turns.saturating_add(if was_broken_off { KILLED } else { 1 });
        // If this one is killed, the next one is to know of it.
        self.table.put_collection(&collection).await?;
        loop {
            let ended = self.stage(&mut collection, before, clock).await;
            self.table.put_collection(&collection).await?;
            ended?;
            if collection.stage == Stage::Done {
                report(&collection);
                return Ok(Ended::Done(Box::new(collection)));
            }
            if clock.is_over() && collection.invocations >= MAX_INVOCATIONS {
                return Ok(Ended::GivenUp(Box::new(collection)));
            }
            if clock.is_over() {
                let request = CollectRequest { run_id: Some(run_id), ..request };
                return Ok(Ended::Unfinished(request, Box::new(collection)));
            }
        }
    }

    /// Goes on with the stage that a collection is in.
    async fn stage(&self, collection: &mut Collection, before: Option<u64>, clock: &Clock) -> Result<(), CollectError> {
        match collection.stage {
            Stage::Prune(_) => self.prune_all(collection, clock).await,
            Stage::Sweep(_) => self.sweep(collection, before, clock).await,
            Stage::Uploads => {
                let age = i64::try_from(UPLOAD_AGE.as_secs()).unwrap_or(i64::MAX);
                let old = Timestamp::from_unix(now().unix().saturating_sub(age));
                let (aborted, all) = if collection.dry_run {
                    (0, true)
                } else {
                    self.storage.abort_uploads_before(old, clock.end).await?
                };
                collection.counts.uploads_aborted += aborted;
                if all && collection.invocations > 1 {
                    self.storage.forget_kept(collection.run_id).await?;
                }
                if all {
                    collection.ended_at = Some(now());
                    collection.go_to(Stage::Done);
                }
                Ok(())
            }
            Stage::Done => Ok(()),
        }
    }
}

/// The metrics of a collection that has ended.
fn report(collection: &Collection) {
    let counts = &collection.counts;
    let metric = |name, unit, value| Metric { name, unit, value };
    let seconds = collection.ended_at.map_or(0, |ended| ended.unix() - collection.started_at.unix());
    #[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
    let metrics = {
        // Links are listed twice, by repository and by digest.
        let dollars = (2.0 * counts.links as f64 + counts.blobs as f64) / KEYS_PER_LIST * DOLLARS_PER_LIST;
        [
            metric("gc_links", Unit::Count, counts.links as f64),
            metric("gc_blobs", Unit::Count, counts.blobs as f64),
            metric("gc_bytes", Unit::Bytes, counts.bytes as f64),
            metric("gc_condemned", Unit::Count, counts.condemned as f64),
            metric("gc_deleted", Unit::Count, counts.deleted as f64),
            metric("gc_deferred", Unit::Count, counts.deferred as f64),
            metric("gc_bytes_deleted", Unit::Bytes, counts.bytes_deleted as f64),
            metric("gc_links_removed", Unit::Count, (counts.manifests_unlinked + counts.blobs_unlinked) as f64),
            metric("gc_repositories_skipped", Unit::Count, counts.repositories_skipped as f64),
            metric("gc_held", Unit::Count, f64::from(u8::from(collection.held.is_some()))),
            metric("gc_duration_seconds", Unit::Seconds, seconds as f64),
            metric("gc_list_dollars", Unit::None, dollars),
        ]
    };
    emit(&[("dry_run", if collection.dry_run { "true" } else { "false" })], 1, &metrics);
}
