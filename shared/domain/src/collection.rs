//! One garbage collection: what is asked for, how far it is, and what it did.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

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
}

/// Where a collection stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", content = "after", rename_all = "snake_case")]
pub enum Stage {
    /// It takes out of the repositories what no tag needs; behind this namespace.
    Prune(String),
    /// It judges blobs that nothing links to; from the ones on that begin with this byte.
    Sweep(u8),
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
    /// Where it stands.
    #[serde(flatten)]
    pub stage: Stage,
    /// What it counted.
    #[serde(flatten)]
    pub counts: Collected,
    /// Why it deleted nothing, if the numbers looked wrong.
    pub held: Option<Held>,
}

/// What a collection counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Collected {
    /// Repositories that were looked at.
    pub repositories: u64,
    /// Repositories that were left alone: a sync runs, or what a tag needs cannot be read.
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
    /// Uploads that were given up.
    pub uploads_aborted: u64,
}

/// Numbers that look wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Held {
    /// A large part of all blobs would be deleted.
    TooMany {
        /// How many would be.
        deletions: u64,
        /// How many there are.
        blobs: u64,
    },
    /// There are far fewer links than the last time.
    LinksShrank {
        /// How many there are.
        links: u64,
        /// How many there were.
        before: u64,
    },
}

/// How many blobs a collection may always delete.
const MIN_LIMIT: u64 = 1_000;
/// The share of all blobs that a collection may delete, in percent.
const LIMIT_PERCENT: u64 = 20;
/// The share of the links of the last time below which something is wrong, in percent.
const SHRINK_PERCENT: u64 = 50;
/// How few links may become any number.
const FEW_LINKS: u64 = 1_000;

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
            stage: Stage::Prune(String::new()),
            counts: Collected::default(),
            held: None,
        }
    }
}

impl Held {
    /// Judges the numbers before anything is deleted: `deletions` of `blobs`, with `links` now and `before` them the last
    /// time.
    pub fn judge(deletions: u64, blobs: u64, links: u64, before: Option<u64>) -> Option<Self> {
        if let Some(before) = before.filter(|before| *before > FEW_LINKS && links < before * SHRINK_PERCENT / 100) {
            return Some(Self::LinksShrank { links, before });
        }
        let limit = MIN_LIMIT.max(blobs.saturating_mul(LIMIT_PERCENT) / 100);
        (deletions > limit).then_some(Self::TooMany { deletions, blobs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_look_wrong() {
        for (deletions, blobs, links, before, held) in [
            (1_000, 1_000, 10, None, None),
            (1_001, 1_001, 10, None, Some(Held::TooMany { deletions: 1_001, blobs: 1_001 })),
            (2_000, 10_000, 10, None, None),
            (2_001, 10_000, 10, None, Some(Held::TooMany { deletions: 2_001, blobs: 10_000 })),
            (1, 10_000, 4_999, Some(10_000), Some(Held::LinksShrank { links: 4_999, before: 10_000 })),
            (1, 10_000, 5_000, Some(10_000), None),
            (1, 10, 0, Some(1_000), None),
        ] {
            assert_eq!(Held::judge(deletions, blobs, links, before), held);
        }
    }

    #[test]
    fn a_collection_is_stored_flat_and_comes_back() {
        let mut collection = Collection::new(Uuid::nil(), CollectRequest::default(), Timestamp::from_unix(7));
        for stage in [Stage::Prune("acme".to_owned()), Stage::Sweep(9), Stage::Done] {
            collection.stage = stage;
            let stored = serde_json::to_value(&collection).unwrap();
            assert_eq!(serde_json::from_value::<Collection>(stored).unwrap(), collection);
        }
        let request: CollectRequest = serde_json::from_str("{}").unwrap();
        assert_eq!(request, CollectRequest::default());
    }
}
