//! What a sync does with each tag, decided from data alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Digest, Generation, MediaType, TagName, Timestamp};

/// How many tags a run may always delete, if the mirror does not say: an ordinary clean-up of a small repository.
pub const MIN_DELETION_LIMIT: usize = 10;
/// The share of the held tags that a run may delete, if the mirror does not say, in percent. A registry that shows a
/// part of its tags, or a rule with a slip in it, mostly loses more.
pub const DELETION_LIMIT_PERCENT: usize = 20;

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
    #[serde(alias = "since")]
    pub first_seen: Timestamp,
    /// When the last sync began that saw it upstream with this digest. Nothing while that is the mirror's last complete
    /// sync, so that a sync of unchanged tags has nothing to write: read it by [`HeldTag::seen`].
    pub last_seen: Option<Timestamp>,
    /// The registry's digest, where ours is another one: an index of referrers that was merged from several sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Digest>,
    /// The architectures that were copied, where others were left out; empty if it is whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// The manifests below it, up to [`MAX_MANIFESTS`]: what referrers may refer to.
    #[serde(default)]
    pub manifests: Vec<Digest>,
    /// Those of them that the index does not list itself, but an index below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<Digest>,
    /// What the index lists and the repository does not have, up to [`MAX_MANIFESTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Digest>,
    /// Whether somebody pointed it back to what it was before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reversion: bool,
    /// Which of the repositories of its name has it.
    #[serde(default)]
    pub generation: Generation,
    /// The entity tag of its link in the bucket, by which it is replaced only where nobody else has done so; nothing
    /// where that was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What an index lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Children {
    /// What the repository has of it.
    pub present: Vec<Digest>,
    /// What it does not have: other architectures than its mirror keeps.
    pub left_out: Vec<Digest>,
}

impl HeldTag {
    /// Whether nothing of the wanted architectures was left out.
    fn covers(&self, wanted: &[String]) -> bool {
        let has = |wanted: &String| self.architectures.contains(wanted);
        self.architectures.is_empty() || (!wanted.is_empty() && wanted.iter().all(has))
    }

    /// What the index lists, if it is one.
    pub fn children(&self) -> Option<Children> {
        let own = |digest: &&Digest| !self.nested.contains(digest);
        let present = self.manifests.iter().filter(own).cloned().collect();
        self.media_type.is_index().then(|| Children { present, left_out: self.left_out.clone() })
    }

    /// When it was last seen upstream with this digest, by a mirror whose last complete sync began at `last_complete`.
    pub fn seen(&self, last_complete: Option<Timestamp>) -> Timestamp {
        self.last_seen.or(last_complete).map_or(self.first_seen, |seen| seen.max(self.first_seen))
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

/// What becomes of the held tags that the rule does not select from a complete listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prune {
    /// They are deleted.
    Delete(Vec<TagName>),
    /// They are more than one run may delete: none is.
    Hold {
        /// The tags.
        tags: Vec<TagName>,
        /// How many a run may delete.
        limit: usize,
    },
}

/// How many tags a run may delete of a repository that holds `held`; nothing if any number. `setting` is the mirror's:
/// a number, 0 for any number, or nothing for the default, which is [`MIN_DELETION_LIMIT`] or
/// [`DELETION_LIMIT_PERCENT`] of what is held, whichever is more.
pub fn deletion_limit(setting: Option<u64>, held: usize) -> Option<usize> {
    match setting {
        None => Some(MIN_DELETION_LIMIT.max(held.saturating_mul(DELETION_LIMIT_PERCENT) / 100)),
        Some(0) => None,
        Some(limit) => Some(usize::try_from(limit).unwrap_or(usize::MAX)),
    }
}

/// Judges the held tags that the rule does not select from a complete listing.
///
/// A listing without any tag deletes nothing: it is far more often a failing registry than an emptied repository. A
/// rule that selects none of the listed tags does delete. Tags that failed to copy are selected, and so stay.
pub fn prune(held: &BTreeMap<TagName, HeldTag>, listed: usize, selected: &[TagName], setting: Option<u64>) -> Prune {
    if listed == 0 {
        return Prune::Delete(Vec::new());
    }
    let selected: BTreeSet<_> = selected.iter().collect();
    let tags: Vec<_> = held.keys().filter(|tag| !selected.contains(tag)).cloned().collect();
    match deletion_limit(setting, held.len()) {
        Some(limit) if tags.len() > limit => Prune::Hold { tags, limit },
        _ => Prune::Delete(tags),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, option, prelude::*};

    use super::*;

    fn tag(n: u8) -> TagName {
        format!("t{n}").parse().unwrap()
    }

    fn held(tags: &BTreeSet<u8>) -> BTreeMap<TagName, HeldTag> {
        let held = |n: &u8| HeldTag {
            digest: Digest::sha256(&[*n]),
            media_type: MediaType::OciManifest,
            size: 1,
            first_seen: Timestamp::from_unix(100),
            last_seen: None,
            source: None,
            architectures: Vec::new(),
            manifests: Vec::new(),
            nested: Vec::new(),
            left_out: Vec::new(),
            reversion: false,
            generation: Generation::default(),
            link: None,
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
    fn an_index_lists_what_is_not_below_another_one() {
        let whole = &held(&BTreeSet::from([1]))[&tag(1)];
        let digests = |all: &[u8]| all.iter().map(|n| Digest::sha256(&[*n])).collect::<Vec<_>>();
        let (manifests, nested, left_out) = (digests(&[2, 3, 4]), digests(&[3]), digests(&[5]));
        let index =
            HeldTag { media_type: MediaType::OciIndex, manifests, nested, left_out: left_out.clone(), ..whole.clone() };
        assert_eq!(index.children(), Some(Children { present: digests(&[2, 4]), left_out }));
        assert_eq!(whole.children(), None, "an image lists nothing");
    }

    #[test]
    fn only_a_changed_digest_is_copied() {
        let held = held(&BTreeSet::from([1]));
        let held = held.get(&tag(1));
        assert_eq!(action(held, &Digest::sha256(&[1]), &[]), TagAction::Keep);
        assert_eq!(action(held, &Digest::sha256(&[2]), &[]), TagAction::Copy);
        assert_eq!(action(None, &Digest::sha256(&[1]), &[]), TagAction::Copy);
    }

    #[test]
    fn a_tag_was_seen_when_it_came_or_by_the_last_complete_sync_unless_that_missed_it() {
        let at = Timestamp::from_unix;
        let mut tag = held(&BTreeSet::from([1])).remove(&tag(1)).unwrap();
        assert_eq!(tag.seen(None), at(100));
        assert_eq!(tag.seen(Some(at(90))), at(100), "copied by a sync that did not come to its end");
        assert_eq!(tag.seen(Some(at(200))), at(200));
        tag.last_seen = Some(at(150));
        assert_eq!(tag.seen(Some(at(200))), at(150));
    }

    #[test]
    fn limits() {
        for (setting, held, limit) in [
            (None, 0, Some(10)),
            (None, 54, Some(10)),
            (None, 55, Some(11)),
            (None, 1_000, Some(200)),
            (Some(0), 1_000, None),
            (Some(1), 1_000, Some(1)),
            (Some(500), 10, Some(500)),
        ] {
            assert_eq!(deletion_limit(setting, held), limit, "{setting:?} of {held}");
        }
    }

    /// The rules told once more, tag by tag: which of `mine` are there after a run.
    fn remaining(
        mine: &BTreeSet<u8>,
        listed: &BTreeSet<u8>,
        rule: &BTreeSet<u8>,
        setting: Option<u64>,
    ) -> BTreeSet<u8> {
        let obsolete: BTreeSet<u8> =
            mine.iter().copied().filter(|n| !(listed.contains(n) && rule.contains(n))).collect();
        let allowed = match setting {
            Some(0) => 255,
            Some(n) => n,
            None if mine.len() <= 50 => 10,
            None => mine.len() as u64 / 5,
        };
        let deletes = !listed.is_empty() && obsolete.len() as u64 <= allowed;
        if deletes { mine - &obsolete } else { mine.clone() }
    }

    proptest! {
        #[test]
        fn what_remains_is_what_the_rules_say(
            mine in btree_set(0u8..100, 0..100),
            listed in btree_set(0u8..100, 0..100),
            rule in btree_set(0u8..100, 0..100),
            setting in option::of(0u64..40),
        ) {
            let selected: Vec<_> = listed.intersection(&rule).map(|n| tag(*n)).collect();
            let before = held(&mine);
            let (deleted, kept_back) = match prune(&before, listed.len(), &selected, setting) {
                Prune::Delete(tags) => (tags, Vec::new()),
                Prune::Hold { tags, limit } => {
                    prop_assert!(tags.len() > limit);
                    (Vec::new(), tags)
                }
            };
            let mut after = before.clone();
            for tag in &deleted {
                prop_assert!(after.remove(tag).is_some(), "only what is held is deleted");
            }
            prop_assert_eq!(&after, &held(&remaining(&mine, &listed, &rule, setting)));
            prop_assert!(kept_back.iter().chain(&deleted).all(|tag| !selected.contains(tag)), "the selected stay");
        }

        /// A run that was killed while it deleted, and its successor, delete what one run would have.
        #[test]
        fn an_interrupted_prune_goes_on(
            mine in btree_set(0u8..100, 0..100), rule in btree_set(0u8..100, 0..100),
            setting in option::of(0u64..40), killed_after in 0usize..100,
        ) {
            let selected: Vec<_> = mine.intersection(&rule).map(|n| tag(*n)).collect();
            let mut rest = held(&mine);
            if let Prune::Delete(tags) = prune(&rest, 1, &selected, setting) {
                for tag in tags.iter().take(killed_after) {
                    rest.remove(tag);
                }
                let left: Vec<_> = tags.iter().skip(killed_after).cloned().collect();
                prop_assert_eq!(prune(&rest, 1, &selected, setting), Prune::Delete(left));
            }
        }
    }
}
