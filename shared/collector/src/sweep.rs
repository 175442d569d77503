//! The blobs that nothing links to, a 256th of them after the other: judged, and dealt with.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Digest,
    collection::{Collection, Held, Stage, allowance},
    condemned::{Sentence, Verdict, judge},
};
use moorage_state::now;
use moorage_storage::StoredBlob;
use uuid::Uuid;

use crate::{
    clock::{Clock, SAVE_EVERY},
    collector::{CollectError, Collector},
    marks::Marks,
};

/// Partitions of sentences that are read at once.
const READS_IN_FLIGHT: usize = 16;
/// Shards of blobs that are listed at once: what is to be done about their blobs is in memory, 150 bytes for each.
const SHARDS_IN_FLIGHT: usize = 8;
/// Blobs that are dealt with at once.
const BLOBS_IN_FLIGHT: usize = 16;
/// Sentences that are remembered at once, in about 200 bytes each, unless one shard has more.
const MOST_SENTENCES: usize = 250_000;

/// A blob that something is to be done about.
struct Case {
    digest: Digest,
    size: u64,
    sentence: Option<Sentence>,
    verdict: Verdict,
}

/// A shard whose blobs were judged.
struct Judged {
    shard: u8,
    blobs: u64,
    bytes: u64,
    cases: Vec<Case>,
}

impl Collector {
    /// Judges and deals with the blobs behind those that were dealt with, as far as the time goes, but at least with one
    /// shard. `before` is how many links there were the last time.
    pub(crate) async fn sweep(
        &self,
        collection: &mut Collection,
        before: Option<u64>,
        clock: &Clock,
    ) -> Result<(), CollectError> {
        while let Stage::Sweep(first) = collection.stage {
            self.sweep_from(first, collection, before, clock).await?;
            if clock.is_over() {
                break;
            }
        }
        Ok(())
    }

    /// As many shards as fit into memory, and into the time, but at least one.
    async fn sweep_from(
        &self,
        first: u8,
        collection: &mut Collection,
        before: Option<u64>,
        clock: &Clock,
    ) -> Result<(), CollectError> {
        // The order is the protocol's: sentences first, then links.
        let sentences = self.sentences_from(first).await?;
        let last = u8::try_from(sentences.len() - 1).map_or(u8::MAX, |more| first.saturating_add(more));
        let marks = self.marks(first, last).await?;
        collection.counts.links = marks.links();
        if !collection.force {
            collection.held = collection.held.or(Held::judge(marks.links(), before));
        }
        let few = self.storage.few_blobs().await?;
        let shards = (first..=marks.last()).zip(sentences);
        let judged =
            stream::iter(shards).map(|(shard, sentences)| self.judge(shard, sentences, &marks, few.as_deref()));
        let (mut judged, mut saved) = (judged.buffered(SHARDS_IN_FLIGHT), Instant::now());
        while let Some(shard) = judged.try_next().await? {
            let next = shard.shard.checked_add(1).map_or(Stage::Uploads, Stage::Sweep);
            if !self.deal_with(shard, collection, clock).await? {
                // What was dealt with needs nothing the next time.
                return Ok(());
            }
            collection.go_to(next);
            // Listing the links was the most of it: it is made use of as long as there is time.
            if Instant::now() >= clock.end {
                return Ok(());
            }
            if saved.elapsed() >= SAVE_EVERY {
                self.table.put_collection(collection).await?;
                saved = Instant::now();
            }
        }
        Ok(())
    }

    /// The sentences of a shard and of those behind it, as far as they fit into memory.
    async fn sentences_from(&self, first: u8) -> Result<Vec<HashMap<Digest, Sentence>>, CollectError> {
        let read = stream::iter(first..=u8::MAX).map(|shard| self.table.sentences_of(shard));
        let (mut read, mut sentences, mut count) = (read.buffered(READS_IN_FLIGHT), Vec::new(), 0);
        while count < MOST_SENTENCES
            && let Some(of_shard) = read.try_next().await?
        {
            count += of_shard.len();
            sentences.push(of_shard);
        }
        Ok(sentences)
    }

    /// The digests that any repository links to, as it is now, from one shard to another one, or as many of them as fit
    /// into memory.
    async fn marks(&self, first: u8, last: u8) -> Result<Marks, CollectError> {
        let marks = Mutex::new(Marks::new(first, last, self.settings.marks));
        let add = |digests: Vec<Digest>| {
            let mut marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
            for digest in digests {
                marks.add(digest);
            }
        };
        self.storage.each_link(add).await?;
        let mut marks = marks.into_inner().unwrap_or_else(PoisonError::into_inner);
        marks.thin_out();
        Ok(marks)
    }

    /// Judges all blobs of a shard, which are listed, unless there are `few` in all.
    async fn judge(
        &self,
        shard: u8,
        mut sentences: HashMap<Digest, Sentence>,
        marks: &Marks,
        few: Option<&[StoredBlob]>,
    ) -> Result<Judged, CollectError> {
        let (mut judged, grace) = (Judged { shard, blobs: 0, bytes: 0, cases: Vec::new() }, self.settings.grace);
        let visit = |blob: StoredBlob| {
            judged.blobs += 1;
            judged.bytes = judged.bytes.saturating_add(blob.size);
            let (sentence, linked) = (sentences.remove(&blob.digest), marks.has(&blob.digest));
            let verdict = match judge(sentence.as_ref(), linked, grace, now()) {
                // It may be about to be linked; spare everybody the work.
                Verdict::Condemn if blob.modified.plus(grace) >= now() => return,
                Verdict::Keep | Verdict::Wait => return,
                verdict => verdict,
            };
            judged.cases.push(Case { digest: blob.digest, size: blob.size, sentence, verdict });
        };
        match few {
            Some(few) => few.iter().filter(|blob| blob.digest.bytes().first() == Some(&shard)).cloned().for_each(visit),
            None => self.storage.each_blob_of(shard, visit).await?,
        }
        // Sentences of blobs that are gone: a collector was killed before it had forgotten them.
        for (digest, sentence) in sentences {
            if judge(Some(&sentence), true, grace, now()) == Verdict::Lift {
                judged.cases.push(Case { digest, size: 0, sentence: Some(sentence), verdict: Verdict::Lift });
            }
        }
        Ok(judged)
    }

    /// Deals with a shard; tells whether there was enough time.
    async fn deal_with(
        &self,
        judged: Judged,
        collection: &mut Collection,
        clock: &Clock,
    ) -> Result<bool, CollectError> {
        let Judged { blobs, bytes, mut cases, .. } = judged;
        let counts = &mut collection.counts;
        if collection.held.is_some() {
            cases.retain(|case| case.verdict == Verdict::Lift);
        }
        let (mut allowed, mut deferred) = (allowance(counts.blobs.saturating_add(blobs), counts.deleted), 0);
        cases.retain(|case| {
            let stays = case.verdict != Verdict::Delete || allowed > 0;
            if case.verdict == Verdict::Delete {
                allowed = allowed.saturating_sub(1);
                deferred += u64::from(!stays);
            }
            stays
        });
        let (dry, in_time) = (collection.dry_run, AtomicBool::new(true));
        let deal = async |case: Case| {
            if Instant::now() >= clock.end {
                in_time.store(false, Ordering::Relaxed);
                return Ok(None);
            }
            let done = if dry { true } else { self.deal(&case).await? };
            Ok::<_, CollectError>(done.then_some(case))
        };
        let mut dealt = stream::iter(cases).map(deal).buffer_unordered(BLOBS_IN_FLIGHT);
        while let Some(case) = dealt.try_next().await? {
            let Some(case) = case else { continue };
            match case.verdict {
                Verdict::Condemn => counts.condemned += 1,
                Verdict::Lift => counts.lifted += 1,
                Verdict::Delete => {
                    counts.deleted += 1;
                    counts.bytes_deleted = counts.bytes_deleted.saturating_add(case.size);
                }
                Verdict::Keep | Verdict::Wait => {}
            }
        }
        drop(dealt);
        let in_time = in_time.into_inner();
        if in_time {
            counts.blobs += blobs;
            counts.bytes = counts.bytes.saturating_add(bytes);
            counts.deferred += deferred;
        }
        Ok(in_time)
    }

    /// Does what was judged; tells whether nobody else was quicker.
    async fn deal(&self, case: &Case) -> Result<bool, CollectError> {
        let (table, digest) = (&self.table, &case.digest);
        let new = |deleting| Sentence { generation: Uuid::new_v4(), since: now(), deleting };
        match (case.verdict, &case.sentence) {
            (Verdict::Condemn, _) => Ok(table.condemn(digest, new(false)).await?),
            (Verdict::Lift, Some(read)) => Ok(table.lift_sentence(digest, read).await?),
            (Verdict::Delete, Some(read)) => {
                let deleting = new(true);
                if !table.change_sentence(digest, read, deleting).await? {
                    return Ok(false);
                }
                self.storage.delete_blob(digest).await?;
                table.lift_sentence(digest, &deleting).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
