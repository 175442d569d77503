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
    collector::{CollectError, Collector},
    sweep::Sweep,
};

/// How long the lease lasts unless it is prolonged: a little more than the longest invocation.
const LEASE: Duration = Duration::from_secs(16 * 60);
/// The share of an invocation's time after which nothing further is begun.
const BEGIN_SHARE: u32 = 2;
/// Unfinished uploads that are older are given up: syncs forget theirs after six days.
const UPLOAD_AGE: Duration = Duration::from_secs(7 * 86_400);
/// The most invocations of one collection.
const MAX_INVOCATIONS: u32 = 1_000;
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
    /// Another collector is at work.
    Busy,
}

impl Collector {
    /// Collects, until it is done or half of the time until `deadline` is over.
    pub async fn collect(&self, request: CollectRequest, deadline: Instant) -> Result<Ended, CollectError> {
        let run_id = request.run_id.unwrap_or_else(Uuid::now_v7);
        if !self.table.take_collector_lease(run_id, now().plus(LEASE), now()).await? {
            return Ok(Ended::Busy);
        }
        let ended = self.go_on(run_id, request, deadline).await;
        // Whoever goes on with it has the lease already; after a failure anybody may begin anew.
        if !matches!(ended, Ok(Ended::Unfinished(..))) {
            self.table.give_up_collector_lease(run_id).await?;
        }
        ended
    }

    async fn go_on(&self, run_id: Uuid, request: CollectRequest, deadline: Instant) -> Result<Ended, CollectError> {
        let until = Instant::now() + deadline.saturating_duration_since(Instant::now()) / BEGIN_SHARE;
        let earlier = self.table.collections().await?;
        let known = earlier.iter().find(|known| known.run_id == run_id).cloned();
        let mut collection = known.unwrap_or_else(|| Collection::new(run_id, request, now()));
        collection.invocations += 1;
        let before = earlier.iter().find(|other| other.run_id != run_id && other.ended_at.is_some());
        let before = before.map(|other| other.counts.links);
        while collection.stage != Stage::Done {
            if Instant::now() >= until && collection.invocations < MAX_INVOCATIONS {
                self.table.put_collection(&collection).await?;
                let request = CollectRequest { run_id: Some(run_id), ..request };
                return Ok(Ended::Unfinished(request, Box::new(collection)));
            }
            self.stage(&mut collection, before, until).await?;
            self.table.put_collection(&collection).await?;
        }
        report(&collection);
        Ok(Ended::Done(Box::new(collection)))
    }

    /// Goes on with the stage that a collection is in.
    async fn stage(
        &self,
        collection: &mut Collection,
        before: Option<u64>,
        until: Instant,
    ) -> Result<(), CollectError> {
        let dry = collection.dry_run;
        match collection.stage.clone() {
            Stage::Prune(after) => {
                let mut namespaces = self.storage.all_namespaces().await?;
                namespaces.retain(|namespace| *namespace > after);
                namespaces.sort_unstable();
                for namespace in namespaces {
                    for repository in self.storage.linked(&namespace, |_| {}).await? {
                        let counts = &mut collection.counts;
                        counts.repositories += 1;
                        match self.prune(&repository, dry).await? {
                            Some(pruned) => {
                                counts.manifests_unlinked += pruned.manifests;
                                counts.blobs_unlinked += pruned.blobs;
                            }
                            None => counts.repositories_skipped += 1,
                        }
                    }
                    collection.stage = Stage::Prune(namespace);
                    if Instant::now() >= until {
                        return Ok(());
                    }
                }
                collection.stage = Stage::Sweep(0);
            }
            Stage::Sweep(first) => {
                let sweep = Sweep { first, dry, force: collection.force, before, until };
                let swept = self.sweep(&sweep).await?;
                let counts = &mut collection.counts;
                counts.links = swept.links;
                counts.blobs += swept.blobs;
                counts.bytes += swept.bytes;
                counts.condemned += swept.condemned;
                counts.lifted += swept.lifted;
                counts.deleted += swept.deleted;
                counts.bytes_deleted += swept.bytes_deleted;
                collection.held = collection.held.or(swept.held);
                if let Some(next) = swept.next {
                    collection.stage = Stage::Sweep(next);
                    return Ok(());
                }
                if !dry {
                    let age = i64::try_from(UPLOAD_AGE.as_secs()).unwrap_or(i64::MAX);
                    let old = Timestamp::from_unix(now().unix().saturating_sub(age));
                    counts.uploads_aborted += self.storage.abort_uploads_before(old).await?;
                }
                collection.ended_at = Some(now());
                collection.stage = Stage::Done;
            }
            Stage::Done => {}
        }
        Ok(())
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
