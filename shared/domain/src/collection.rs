//! One garbage collection: what is asked for, how far it is, and what it did.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Digest, RepositoryName, Timestamp};

/// What the collector is invoked with, by its schedule, by hand, or by a collection that goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CollectRequest {
    /// Only report what would be deleted.
    pub dry_run: bool,
    /// Delete although the numbers look wrong.
    pub force: bool,
    /// The collection to go on with.
    pub run_id: Option<Uuid>,
    /// Whom the lease was left to by whoever hands over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Uuid>,
}

/// Where a collection stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", content = "after", rename_all = "snake_case")]
pub enum Stage {
    /// It takes out of the repositories what no tag needs; behind the repository of this name, in the order of their
    /// names. Nothing is before the first one; earlier builds wrote a namespace, which is before all of its repositories.
    Prune(String),
    /// It judges blobs that nothing links to; from the ones on that begin with this byte.
    Sweep(u8),
    /// It gives up uploads that nobody finished.
    Uploads,
    /// It has ended.
    Done,
}

/// One collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Its name.
    pub run_id: Uuid,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Whether it only reports.
    pub dry_run: bool,
    /// Whether it deletes although the numbers look wrong.
    pub force: bool,
    /// How many invocations it has taken so far.
    pub invocations: u32,
    /// How many of them have begun where it stands, without getting any further.
    #[serde(default)]
    pub turns: u32,
    /// Where it stands.
    #[serde(flatten)]
    pub stage: Stage,
    /// What it counted.
    #[serde(flatten)]
    pub counts: Collected,
    /// Why it deleted nothing, if the numbers looked wrong.
    pub held: Option<Held>,
    /// The first [`NAMED`] of the repositories that were left alone.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
}

/// A repository that was left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub repository: RepositoryName,
    /// Why.
    #[serde(flatten)]
    pub why: Skip,
}

/// Why a repository was left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Skip {
    /// It has garbage, and somebody else works in it: a sync, somebody who sets a tag, a purge.
    #[error("somebody else works in it")]
    Busy,
    /// What a tag needs is missing or damaged: nobody knows what else it needs.
    #[error("the manifest {digest} is needed and cannot be read")]
    Unreadable {
        /// A manifest that cannot be read.
        digest: Digest,
    },
    /// There is no such repository, but the bucket has tags of it: they may be somebody else's.
    #[error("there is no such repository, and the bucket has tags of it")]
    Unknown,
    /// There is no such repository any more, and what is left of it was written a short while ago.
    #[error("there is no such repository, and the bucket has something new of it")]
    Recent,
    /// It has more links than fit into memory.
    #[error("it has too many links")]
    TooLarge,
    /// Several invocations were not enough for it, or ended in the middle of it.
    #[error("it took too long")]
    TooLong,
    /// The bucket or the table failed in it; the log says how.
    #[error("the bucket or the table failed")]
    Failed,
}

/// What a collection counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Collected {
    /// Repositories that were looked at.
    pub repositories: u64,
    /// Repositories that were left alone: [`Skip`] says why.
    pub repositories_skipped: u64,
    /// Manifests that were taken out of their repositories.
    pub manifests_unlinked: u64,
    /// Blobs that were taken out of their repositories.
    pub blobs_unlinked: u64,
    /// Links of all repositories.
    pub links: u64,
    /// Blobs and manifests in the bucket.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that were condemned.
    pub condemned: u64,
    /// Blobs whose sentence was lifted.
    pub lifted: u64,
    /// Blobs that were deleted.
    pub deleted: u64,
    /// Their bytes.
    pub bytes_deleted: u64,
    /// Blobs that were due, and are left to the next collection: this one has deleted as many as one may.
    pub deferred: u64,
    /// Uploads that were given up.
    pub uploads_aborted: u64,
}

/// Numbers that look wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Held {
    /// A large part of all blobs would have been deleted. Only earlier builds held a collection for that: now it deletes as
    /// many as it may, see [`allowance`].
    TooMany {
        /// How many would be.
        deletions: u64,
        /// How many there are.
        blobs: u64,
    },
    /// There are far fewer links than the last time that a collection was neither held nor dry.
    LinksShrank {
        /// How many there are.
        links: u64,
        /// How many there were.
        before: u64,
    },
}

/// Repositories that a collection names which were left alone: with the longest names that is a tenth of an item.
pub const NAMED: usize = 100;
/// How many blobs a collection may always delete.
const MIN_LIMIT: u64 = 1_000;
/// The share of all blobs that a collection may delete, in percent.
const LIMIT_PERCENT: u64 = 20;
/// The share of the links of the last time below which something is wrong, in percent.
const SHRINK_PERCENT: u64 = 50;
/// How few links may become any number.
const FEW_LINKS: u64 = 1_000;

/// How many more blobs a collection may delete that has seen so many, and has `deleted` some of them: whatever is wrong,
/// most of the content is there the day after. Blobs are seen in the order of their digests, so that what was seen is like
/// what is to come.
pub fn allowance(blobs: u64, deleted: u64) -> u64 {
    let limit = MIN_LIMIT.max(blobs.saturating_mul(LIMIT_PERCENT) / 100);
    limit.saturating_sub(deleted)
}

impl Collection {
    /// A collection that begins.
    pub fn new(run_id: Uuid, request: CollectRequest, started_at: Timestamp) -> Self {
        Self {
            run_id,
            started_at,
            ended_at: None,
            dry_run: request.dry_run,
            force: request.force,
            invocations: 0,
            turns: 0,
            stage: Stage::Prune(String::new()),
            counts: Collected::default(),
            held: None,
            skipped: Vec::new(),
        }
    }

    /// Goes to another stage, or on in the same.
    pub fn go_to(&mut self, stage: Stage) {
        if self.stage != stage {
            self.turns = 0;
        }
        self.stage = stage;
    }

    /// Counts a repository that was left alone, and names it if there is room.
    pub fn skip(&mut self, repository: RepositoryName, why: Skip) {
        self.counts.repositories_skipped += 1;
        if self.skipped.len() < NAMED {
            self.skipped.push(Skipped { repository, why });
        }
    }

    /// Whether it has come to a good end: it was neither held nor dry.
    pub fn is_good(&self) -> bool {
        self.ended_at.is_some() && !self.dry_run && self.held.is_none()
    }

    /// The number of links that the next one goes by, if it has ended: its own, or, if it was held, the one that held it. So
    /// a hold goes on, even when the collection that it goes back to is not kept any more.
    pub fn measure(&self) -> Option<u64> {
        match self.held.filter(|_| self.ended_at.is_some() && !self.dry_run) {
            Some(Held::LinksShrank { before, .. }) => Some(before),
            Some(Held::TooMany { .. }) => None,
            None => self.is_good().then_some(self.counts.links),
        }
    }
}

impl Held {
    /// Judges the numbers before anything is deleted: `links` now, and `before` them by the last measure.
    pub fn judge(links: u64, before: Option<u64>) -> Option<Self> {
        let before = before.filter(|before| *before > FEW_LINKS)?;
        let is_little = links < before.saturating_mul(SHRINK_PERCENT) / 100;
        is_little.then_some(Self::LinksShrank { links, before })
    }
}

#[cfg(test)]
mod tests;
