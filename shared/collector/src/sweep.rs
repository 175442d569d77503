//! The blobs that nothing links to: judged all, then dealt with.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Digest,
    collection::Held,
    condemned::{Sentence, Verdict, judge},
};
use moorage_state::now;
use uuid::Uuid;

use crate::{
    collector::{CollectError, Collector},
    marks::Marks,
};

/// Partitions of sentences, namespaces and shards of blobs that are read at once.
const READS_IN_FLIGHT: usize = 16;
/// Blobs that are dealt with at once.
const BLOBS_IN_FLIGHT: usize = 16;
/// Blobs that one invocation deals with: what it holds in memory of them is about 150 bytes each.
const MAX_CASES: usize = 200_000;

/// A blob that something is to be done about.
struct Case {
    digest: Digest,
    size: u64,
    sentence: Option<Sentence>,
    verdict: Verdict,
}

/// What a sweep came to.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    pub(crate) links: u64,
    pub(crate) blobs: u64,
    pub(crate) bytes: u64,
    pub(crate) condemned: u64,
    pub(crate) lifted: u64,
    pub(crate) deleted: u64,
    pub(crate) bytes_deleted: u64,
    pub(crate) held: Option<Held>,
    /// Where to go on; nothing at the end.
    pub(crate) next: Option<u8>,
}

/// How a sweep is to be done.
pub(crate) struct Sweep {
    pub(crate) first: u8,
    pub(crate) dry: bool,
    pub(crate) force: bool,
    /// How many links there were the last time.
    pub(crate) before: Option<u64>,
    /// When no further shard is to be begun.
    pub(crate) until: Instant,
}

impl Collector {
    /// Judges the blobs from `first` on, as far as time goes, and then deals with them.
    pub(crate) async fn sweep(&self, sweep: &Sweep) -> Result<Swept, CollectError> {
        // The order is the protocol's: sentences first, then links.
        let shards = sweep.first..=u8::MAX;
        let read = stream::iter(shards.clone()).map(|shard| self.table.sentences_of(shard));
        let sentences: Vec<_> = read.buffered(READS_IN_FLIGHT).try_collect().await?;
        let mut sentences: HashMap<Digest, Sentence> = sentences.into_iter().flatten().collect();
        let marks = self.marks().await?;
        let mut swept = Swept { links: marks.links(), ..Swept::default() };
        let mut cases = Vec::new();
        let read = stream::iter(shards).map(async |shard| (shard, self.storage.blobs_of(shard).await));
        let mut read = read.buffered(READS_IN_FLIGHT);
        while let Some((shard, blobs)) = read.next().await {
            if Instant::now() >= sweep.until || cases.len() >= MAX_CASES {
                swept.next = Some(shard);
                break;
            }
            for blob in blobs? {
                swept.blobs += 1;
                swept.bytes += blob.size;
                let (sentence, linked) = (sentences.remove(&blob.digest), marks.has(&blob.digest));
                let verdict = match judge(sentence.as_ref(), linked, self.settings.grace, now()) {
                    // It may be about to be linked; spare everybody the work.
                    Verdict::Condemn if blob.modified.plus(self.settings.grace) >= now() => continue,
                    Verdict::Keep | Verdict::Wait => continue,
                    verdict => verdict,
                };
                cases.push(Case { digest: blob.digest, size: blob.size, sentence, verdict });
            }
        }
        drop(read);
        if swept.next.is_none() {
            // Sentences of blobs that are gone: a collector was killed before it had forgotten them.
            let gone = sentences.into_iter().map(|(digest, sentence)| {
                let verdict = match judge(Some(&sentence), true, self.settings.grace, now()) {
                    Verdict::Lift => Verdict::Lift,
                    _ => Verdict::Wait,
                };
                Case { digest, size: 0, sentence: Some(sentence), verdict }
            });
            cases.extend(gone);
        }
        let deletions = cases.iter().filter(|case| case.verdict == Verdict::Delete).count() as u64;
        swept.held = Held::judge(deletions, swept.blobs, swept.links, sweep.before).filter(|_| !sweep.force);
        if swept.held.is_some() {
            cases.retain(|case| case.verdict == Verdict::Lift);
        }
        let deal = async |case: Case| {
            let done = if sweep.dry { true } else { self.deal(&case).await? };
            Ok::<_, CollectError>(done.then_some(case))
        };
        let mut dealt = stream::iter(cases).map(deal).buffer_unordered(BLOBS_IN_FLIGHT);
        while let Some(case) = dealt.try_next().await? {
            let Some(case) = case else { continue };
            match case.verdict {
                Verdict::Condemn => swept.condemned += 1,
                Verdict::Lift => swept.lifted += 1,
                Verdict::Delete => {
                    swept.deleted += 1;
                    swept.bytes_deleted += case.size;
                }
                Verdict::Keep | Verdict::Wait => {}
            }
        }
        Ok(swept)
    }

    /// Every digest that any repository links to, as it is now.
    async fn marks(&self) -> Result<Marks, CollectError> {
        let marks = Mutex::new(Marks::default());
        let add = |digest| marks.lock().unwrap_or_else(PoisonError::into_inner).add(digest);
        let namespaces = self.storage.all_namespaces().await?;
        let list = async |namespace: &String| self.storage.linked(namespace, add).await.map(drop);
        let listed = stream::iter(&namespaces).map(list).buffer_unordered(READS_IN_FLIGHT);
        listed.try_collect::<()>().await?;
        let mut marks = marks.into_inner().unwrap_or_else(PoisonError::into_inner);
        marks.thin_out();
        Ok(marks)
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
