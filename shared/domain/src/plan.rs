//! What a sync does with each tag, decided from data alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Digest, MediaType, TagName, Timestamp};

/// A tag as we hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldTag {
    /// Its manifest.
    pub digest: Digest,
    /// Its manifest's media type.
    pub media_type: MediaType,
    /// Bytes of the manifest and everything below it, each digest counted once.
    pub size: u64,
    /// When this tag first pointed to this digest here.
    pub since: Timestamp,
    /// The registry's digest, where ours is another one: an index of referrers that was merged from several sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Digest>,
    /// The architectures that were copied, where others were left out; empty if it is whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// The manifests below it, up to [`MAX_MANIFESTS`]: what referrers may refer to.
    #[serde(default)]
    pub manifests: Vec<Digest>,
}

impl HeldTag {
    /// Whether nothing of the wanted architectures was left out.
    fn covers(&self, wanted: &[String]) -> bool {
        let has = |wanted: &String| self.architectures.contains(wanted);
        self.architectures.is_empty() || (!wanted.is_empty() && wanted.iter().all(has))
    }
}

/// The most manifests that are remembered of one tag, so that its item stays small. What refers to the children of a
/// larger index than that is not looked for.
pub const MAX_MANIFESTS: usize = 1_000;

/// What to do with a tag that the rule selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagAction {
    /// We hold the digest that the registry has.
    Keep,
    /// We hold nothing, or another digest.
    Copy,
}

/// Compares what we hold with the digest that the registry announced, and with the architectures that the mirror keeps:
/// all, if `wanted` is empty.
pub fn action(held: Option<&HeldTag>, upstream: &Digest, wanted: &[String]) -> TagAction {
    match held {
        Some(held) if held.source.as_ref().unwrap_or(&held.digest) == upstream && held.covers(wanted) => {
            TagAction::Keep
        }
        _ => TagAction::Copy,
    }
}

/// The held tags to delete: those that the rule does not select from a complete listing.
///
/// A listing without any tag deletes nothing: it is far more often a failing registry than an emptied repository. A
/// rule that selects none of the listed tags does delete. Tags that failed to copy are selected, and so stay.
pub fn prune(held: &BTreeMap<TagName, HeldTag>, listed: usize, selected: &[TagName]) -> Vec<TagName> {
    if listed == 0 {
        return Vec::new();
    }
    let selected: BTreeSet<_> = selected.iter().collect();
    held.keys().filter(|tag| !selected.contains(tag)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    fn tag(n: u8) -> TagName {
        format!("t{n}").parse().unwrap()
    }

    fn held(tags: &BTreeSet<u8>) -> BTreeMap<TagName, HeldTag> {
        let held = |n: &u8| HeldTag {
            digest: Digest::sha256(&[*n]),
            media_type: MediaType::OciManifest,
            size: 1,
            since: Timestamp::from_unix(0),
            source: None,
            architectures: Vec::new(),
            manifests: Vec::new(),
        };
        tags.iter().map(|n| (tag(*n), held(n))).collect()
    }

    #[test]
    fn what_a_filter_left_out_is_copied_when_it_is_wanted() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let whole = &held(&BTreeSet::from([1]))[&tag(1)];
        let sparse = HeldTag { architectures: names(&["amd64", "arm64"]), ..whole.clone() };
        for (held, wanted, expected) in [
            (whole, &["amd64"][..], TagAction::Keep),
            (&sparse, &["amd64"], TagAction::Keep),
            (&sparse, &["arm64", "amd64"], TagAction::Keep),
            (&sparse, &["arm64", "s390x"], TagAction::Copy),
            (&sparse, &[], TagAction::Copy),
        ] {
            assert_eq!(action(Some(held), &Digest::sha256(&[1]), &names(wanted)), expected, "{wanted:?}");
        }
    }

    #[test]
    fn only_a_changed_digest_is_copied() {
        let held = held(&BTreeSet::from([1]));
        let held = held.get(&tag(1));
        assert_eq!(action(held, &Digest::sha256(&[1]), &[]), TagAction::Keep);
        assert_eq!(action(held, &Digest::sha256(&[2]), &[]), TagAction::Copy);
        assert_eq!(action(None, &Digest::sha256(&[1]), &[]), TagAction::Copy);
    }

    proptest! {
        #[test]
        fn pruned_are_the_held_that_are_not_selected(mine in btree_set(0u8..20, 0..20), listed in btree_set(0u8..20, 0..20), rule in btree_set(0u8..20, 0..20)) {
            let selected: Vec<_> = listed.intersection(&rule).map(|n| tag(*n)).collect();
            let pruned = prune(&held(&mine), listed.len(), &selected);
            for n in 0..20 {
                let kept = !mine.contains(&n) || listed.is_empty() || (listed.contains(&n) && rule.contains(&n));
                prop_assert_eq!(pruned.contains(&tag(n)), !kept);
            }
        }
    }
}
