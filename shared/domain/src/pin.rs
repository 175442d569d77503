//! Pins: what a run has left is kept until somebody unpins it, however long that is.
//!
//! A pin is a snapshot of what all tags pointed to when the run ended: what a tag was is otherwise forgotten with its past. A
//! collector that takes content out of a repository under its lock keeps what the snapshots of that moment name. So a snapshot
//! counts from the write on that makes it one, which is refused while somebody has the lock. If what tags were is still
//! remembered after that, nobody has taken anything of it before; and what is found to be there then, stays.
//! `tests/condemned/pin.rs` goes through every interleaving.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Digest, PastTag, TagName, Timestamp, plan::HeldTag, run_id::RunId};

/// The most pinned runs of a repository: a collection reads all of their tags each time, and their content is paid for until
/// somebody unpins them, who has to see which they are.
pub const MAX_PINS: usize = 20;
/// The most tags of all pins of a repository together, each with the manifests that it lists. With some eight blobs of its own
/// each they are 900,000 links, which a collection takes besides what tags need. And one pin that has all of them has some 9 MB,
/// which one partition of the table takes in ten seconds, and a call has twenty-four.
pub const MAX_PINNED: usize = 100_000;
/// The most characters of a reason: it is a note, shown with each of the runs of a page.
pub const MAX_REASON: usize = 500;

/// That what a run has left is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The run.
    pub run_id: RunId,
    /// When it ended: what tags were then is kept.
    pub at: Timestamp,
    /// When it was pinned.
    pub since: Timestamp,
    /// Why, in the words of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many tags there were.
    pub tags: u64,
    /// Images of them that nobody has looked at yet, for lack of time. What is there of them stays, too.
    pub unverified: u64,
    /// The last of the images that were found to be whole, in the order of their digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<Digest>,
    /// Which snapshot it is.
    pub snapshot: Uuid,
    /// In how many parts the table has that.
    pub parts: u32,
    /// What it counts towards [`MAX_PINNED`].
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub weight: usize,
    /// Whether the moment was still remembered when it counted already. Then somebody may have been told that it is kept, so
    /// that nobody but people ends it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remembered: bool,
    /// Whether all that the run tells of its tags is kept, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's interface")]
fn is_nothing(weight: &usize) -> bool {
    *weight == 0
}

/// What a tag pointed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedTag {
    /// Its name.
    pub tag: TagName,
    /// Its manifest.
    pub digest: Digest,
    /// The manifests that it has to have below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Digest>,
}

impl PinnedTag {
    /// What it counts towards [`MAX_PINNED`].
    pub fn weight(&self) -> usize {
        self.children.len().saturating_add(1)
    }
}

/// What all tags pointed to at a moment, by name: of those that are `held`, and of the `past`. What is held has to be read first:
/// a tag that moves in between is in both then, and not in neither.
pub fn left_at(at: Timestamp, held: &BTreeMap<TagName, HeldTag>, past: &[PastTag]) -> Vec<PinnedTag> {
    let was = past.iter().filter(|past| past.is_of(at)).map(|past| {
        let children = past.children.as_ref().map(|children| children.present.clone()).unwrap_or_default();
        (&past.tag, PinnedTag { tag: past.tag.clone(), digest: past.digest.clone(), children })
    });
    let still = held.iter().filter(|(_, held)| held.first_seen <= at).map(|(tag, held)| {
        (tag, PinnedTag { tag: tag.clone(), digest: held.digest.clone(), children: held.manifests.clone() })
    });
    was.chain(still).collect::<BTreeMap<_, _>>().into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MediaType, plan::Children};

    #[test]
    fn a_snapshot_has_what_each_tag_was() {
        let at = Timestamp::from_unix;
        let digest = |n: u8| Digest::sha256(&[n]);
        let held = |n: u8, since: i64, manifests: Vec<Digest>| HeldTag {
            digest: digest(n),
            first_seen: at(since),
            manifests,
            ..crate::plan::tests::held()
        };
        let past = |tag: &str, n: u8, start: i64, end: i64| PastTag {
            children: Some(Children { present: vec![digest(n + 100)], left_out: vec![digest(200)] }),
            media_type: MediaType::OciIndex,
            ..PastTag::ended(&tag.parse().unwrap(), &held(n, start, vec![]), at(end))
        };
        let now = BTreeMap::from([
            ("stays".parse().unwrap(), held(1, 100, vec![digest(101)])),
            ("moved".parse().unwrap(), held(3, 101, vec![])),
            ("came".parse().unwrap(), held(4, 101, vec![])),
            // Read before it moved, and its past after it.
            ("moves".parse().unwrap(), held(5, 50, vec![])),
        ]);
        let past = [
            past("moved", 2, 50, 101),
            past("moves", 5, 50, 300),
            past("went", 6, 60, 200),
            past("went", 7, 10, 60),
            past("gone", 8, 10, 100),
        ];
        let left = left_at(at(100), &now, &past);
        let seen: Vec<_> = left.iter().map(|it| (it.tag.as_str(), it.digest.clone(), it.weight())).collect();
        let expected = [("moved", 2, 2), ("moves", 5, 1), ("stays", 1, 2), ("went", 6, 2)]
            .map(|(tag, n, weight)| (tag, digest(n), weight));
        assert_eq!(seen, expected);
        assert_eq!(left[0].children, [digest(102)], "what was left out of an index is not looked for");
        assert!(left_at(at(9), &now, &past).is_empty());
    }
}
