//! Which of the held tags go: what the rule does not select goes, what the registry has lost goes if it is little.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{HeldTag, cause::Cause};
use crate::{
    TagName,
    referrers::{MAX_REFERRER_DEPTH, attached_tags, is_attached_tag},
    run::RunId,
};

/// How many tags a run may always delete that vanished, if the mirror does not say: an ordinary clean-up of a small
/// repository.
pub const MIN_DELETION_LIMIT: usize = 10;
/// The share of the held tags that a run may delete because they vanished, if the mirror does not say, in percent. A
/// registry that shows a part of its tags mostly loses more.
pub const DELETION_LIMIT_PERCENT: usize = 20;
/// How many complete listings in a row have to lack a tag that the registry says nothing certain of before it goes, if
/// the mirror does not say: at the usual interval three days, in which somebody sees the warning.
pub const DELETION_GRACE: u32 = 3;

/// How often a tag was missing in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// In how many runs with a complete listing.
    pub listings: u32,
    /// The last of them.
    pub last: RunId,
}

impl Missing {
    /// As counted by a run that misses the tag, too. A run counts once, in however many invocations.
    #[must_use]
    pub fn again(before: Option<Self>, run: RunId) -> Self {
        match before {
            Some(before) if before.last == run => before,
            before => Self { listings: before.map_or(0, |before| before.listings).saturating_add(1), last: run },
        }
    }
}

/// What the registry says of a tag that its list lacks, when it is asked for it once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// There is no such tag.
    Gone,
    /// It has it.
    There,
    /// Neither: it refuses to say.
    Unclear,
    /// It does not answer, or fails. Another time it may say more.
    Silent,
}

/// Whether a tag goes that a complete listing lacks: at once if it is gone, never while it is there, and where the
/// registry does not say, as soon as `missing` listings in a row have lacked it. `grace` is the mirror's setting: a number
/// of listings, 0 for never, or nothing for [`DELETION_GRACE`].
pub fn goes(word: Word, missing: Missing, grace: Option<u64>) -> bool {
    match (word, grace.unwrap_or(DELETION_GRACE.into())) {
        (Word::Gone, _) => true,
        (Word::There | Word::Silent, _) | (Word::Unclear, 0) => false,
        (Word::Unclear, grace) => u64::from(missing.listings) >= grace,
    }
}

/// What a complete listing shows.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// How many tags the registry lists.
    pub listed: usize,
    /// What stays: the listed tags that the rule selects, and what is attached to their images.
    pub kept: &'a BTreeSet<TagName>,
    /// The held tags whose names the rule selects, listed or not.
    pub matched: &'a BTreeSet<TagName>,
}

/// What becomes of the held tags that do not stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prune {
    /// To be deleted, in this order: what vanished comes first, so that a run that is killed meanwhile leaves a rest of
    /// which its successor judges as it did.
    pub delete: Vec<(TagName, Cause)>,
    /// More than one run may delete: none of these is.
    pub held_back: Vec<(TagName, Cause)>,
    /// How many a run may delete of what counts; nothing for any number.
    pub limit: Option<usize>,
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

/// Judges the held tags that do not stay.
///
/// What the user's rule does not select goes, however much it is. What vanished is held if it is more than
/// [`deletion_limit`]. A mirror that sets the limit itself has it for both together.
///
/// A listing without any tag deletes nothing: it is far more often a failing registry than an emptied repository. Tags
/// that failed to copy are selected, and so stay; and so are those that the architecture filter leaves out: a change of
/// the filter deletes no tag.
pub fn prune(held: &BTreeMap<TagName, HeldTag>, seen: Seen<'_>, setting: Option<u64>) -> Prune {
    if seen.listed == 0 {
        return Prune::default();
    }
    let limit = deletion_limit(setting, held.len());
    let mut all = obsolete(held, seen);
    all.sort_unstable_by(|(one, why), (other, because)| (why, one).cmp(&(because, other)));
    let counts = |cause: Cause| setting.is_some() || cause == Cause::Vanished;
    let counted = all.iter().filter(|(_, cause)| counts(*cause)).count();
    let is_too_much = limit.is_some_and(|limit| counted > limit);
    let (held_back, delete) = all.into_iter().partition(|(_, cause)| is_too_much && counts(*cause));
    Prune { delete, held_back, limit }
}

/// The held tags that do not stay, and why. What the rule selects has vanished, whatever it is called. What is attached to
/// an image goes with it: only where the image stays, or vanished, it has vanished itself.
fn obsolete(held: &BTreeMap<TagName, HeldTag>, seen: Seen<'_>) -> Vec<(TagName, Cause)> {
    let follows = |(tag, held): &(&TagName, &HeldTag)| {
        is_attached_tag(tag) && (held.is_made_here() || !seen.matched.contains(*tag))
    };
    let (attached, others): (Vec<_>, Vec<_>) =
        held.iter().filter(|(tag, _)| !seen.kept.contains(*tag)).partition(follows);
    let [attached, others] = [attached, others].map(|tags| tags.into_iter().map(|(tag, _)| tag).collect::<Vec<_>>());
    let cause = |tag: &&TagName| if seen.matched.contains(*tag) { Cause::Vanished } else { Cause::Deselected };
    let mut causes: BTreeMap<&TagName, Cause> = others.iter().map(|tag| (*tag, cause(tag))).collect();
    let mut detached: BTreeSet<TagName> = attached.iter().map(|tag| (*tag).clone()).collect();
    let is_gone = |tag: &TagName| causes.get(tag) == Some(&Cause::Deselected) || detached.contains(tag);
    let mut subjects: Vec<&HeldTag> = held.iter().filter(|(tag, _)| !is_gone(tag)).map(|(_, held)| held).collect();
    for _ in 0..MAX_REFERRER_DEPTH {
        if detached.is_empty() || subjects.is_empty() {
            break;
        }
        let digests = subjects.iter().flat_map(|held| held.manifests.iter().chain([&held.digest]));
        let found: Vec<TagName> = digests.flat_map(attached_tags).filter(|tag| detached.remove(tag)).collect();
        subjects = found.iter().filter_map(|tag| held.get(tag)).collect();
    }
    let fate = |tag: &TagName| if detached.contains(tag) { Cause::Deselected } else { Cause::Vanished };
    causes.extend(attached.iter().map(|tag| (*tag, fate(tag))));
    causes.into_iter().map(|(tag, cause)| (tag.clone(), cause)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, option, prelude::*};

    use super::*;
    use uuid::Uuid;

    use crate::{Digest, referrers::referrers_tag};

    fn tag(n: u8) -> TagName {
        format!("t{n}").parse().unwrap()
    }

    fn image(n: u8) -> HeldTag {
        HeldTag { digest: Digest::sha256(&[n]), ..crate::plan::tests::held() }
    }

    fn held(tags: &BTreeSet<u8>) -> BTreeMap<TagName, HeldTag> {
        tags.iter().map(|n| (tag(*n), image(*n))).collect()
    }

    fn names(tags: &BTreeSet<u8>) -> BTreeSet<TagName> {
        tags.iter().map(|n| tag(*n)).collect()
    }

    /// Judges `held` of which the rule selects the names `rule`, by a listing.
    fn judged(
        held: &BTreeMap<TagName, HeldTag>,
        listed: &BTreeSet<u8>,
        rule: &BTreeSet<u8>,
        setting: Option<u64>,
    ) -> Prune {
        let (listing, matched) = (names(listed), names(rule));
        let kept = listing.intersection(&matched).cloned().collect();
        prune(held, Seen { listed: listed.len(), kept: &kept, matched: &matched }, setting)
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

    #[test]
    fn what_the_rule_leaves_out_goes_and_what_vanished_is_held_in_the_same_run() {
        let (all, listed, rule) = ((0..40).collect(), (0..20).collect(), (10..40).collect());
        let pruned = judged(&held(&all), &listed, &rule, None);
        let deselected: Vec<_> = (0..10).map(|n| (tag(n), Cause::Deselected)).collect();
        assert_eq!(pruned.delete, deselected);
        assert_eq!((pruned.held_back.len(), pruned.limit), (20, Some(10)));
        assert!(pruned.held_back.iter().all(|(_, cause)| *cause == Cause::Vanished));
        let own = judged(&held(&all), &listed, &rule, Some(29));
        assert_eq!((own.delete.len(), own.held_back.len()), (0, 30), "its own limit is for both together");
        assert_eq!(judged(&held(&all), &listed, &rule, Some(30)).delete.len(), 30);
        assert_eq!(judged(&held(&all), &listed, &rule, Some(0)).delete.len(), 30);
        assert_eq!(judged(&held(&all), &BTreeSet::new(), &rule, Some(0)).delete.len(), 0, "nothing is listed");
        let neither = judged(&held(&(0..40).collect()), &BTreeSet::from([50]), &BTreeSet::from([50]), None);
        assert_eq!(neither.delete.len(), 40, "what vanished and is not selected either is the user's wish");
    }

    #[test]
    fn attachments_share_the_fate_of_their_images() {
        // Three images, each with a signature's tag and with the index of its referrers, of which that has one itself.
        let mut held = held(&BTreeSet::from([1, 2, 3]));
        for n in [1, 2, 3] {
            held.insert(TagName::attached(&image(n).digest, ".sig"), image(n + 10));
            held.insert(referrers_tag(&image(n).digest), image(n + 20));
            held.insert(referrers_tag(&image(n + 20).digest), image(n + 30));
        }
        let lost = TagName::attached(&image(9).digest, ".sig");
        held.insert(lost.clone(), image(19));
        // The first image stays and has lost all of it, the second one vanished, the third one was deselected.
        let kept = BTreeSet::from([tag(1)]);
        let matched = BTreeSet::from([tag(1), tag(2)]);
        let pruned = prune(&held, Seen { listed: 1, kept: &kept, matched: &matched }, None);
        assert_eq!(pruned.held_back, []);
        let vanished = pruned.delete.iter().filter(|(_, cause)| *cause == Cause::Vanished);
        assert_eq!((vanished.count(), pruned.delete.len()), (7, 12));
        assert!(pruned.delete.contains(&(lost, Cause::Deselected)), "its image had gone before");
    }

    #[test]
    fn what_the_rule_selects_vanished_whatever_it_is_called() {
        // Images of such names, a signature, and an index of our own making, all of which the rule selects.
        let mut held: BTreeMap<_, _> = (0..50).map(|n| (referrers_tag(&image(n).digest), image(n + 50))).collect();
        let (signature, own) = (TagName::attached(&image(200).digest, ".sig"), referrers_tag(&image(201).digest));
        held.insert(signature.clone(), image(202));
        held.insert(own.clone(), HeldTag { source: Some(image(203).digest), ..image(203) });
        let matched = held.keys().cloned().collect();
        let kept = BTreeSet::from([referrers_tag(&image(0).digest)]);
        let pruned = prune(&held, Seen { listed: 1, kept: &kept, matched: &matched }, None);
        assert_eq!(pruned.delete, [(own, Cause::Deselected)], "its image had gone before");
        assert_eq!((pruned.held_back.len(), pruned.limit), (50, Some(10)));
        assert!(pruned.held_back.contains(&(signature, Cause::Vanished)));
    }

    #[test]
    fn a_tag_of_which_nothing_is_said_goes_after_some_listings() {
        let at = |n| RunId(Uuid::from_u128(n));
        let missing = |listings| Missing { listings, last: at(9) };
        for (word, listings, grace, expected) in [
            (Word::Gone, 1, None, true),
            (Word::Gone, 1, Some(0), true),
            (Word::There, u32::MAX, Some(1), false),
            (Word::Silent, u32::MAX, Some(1), false),
            (Word::Unclear, 2, None, false),
            (Word::Unclear, 3, None, true),
            (Word::Unclear, 1, Some(1), true),
            (Word::Unclear, u32::MAX, Some(0), false),
            (Word::Unclear, u32::MAX, Some(u64::MAX), false),
        ] {
            assert_eq!(goes(word, missing(listings), grace), expected, "{word:?} {listings} {grace:?}");
        }
        let first = Missing::again(None, at(10));
        assert_eq!(first, Missing { listings: 1, last: at(10) });
        assert_eq!(Missing::again(Some(first), at(10)), first, "another invocation of the same run");
        assert_eq!(Missing::again(Some(first), at(11)).listings, 2);
    }

    /// The rules told once more, tag by tag: which of `mine` are there after a run.
    fn remaining(
        mine: &BTreeSet<u8>,
        listed: &BTreeSet<u8>,
        rule: &BTreeSet<u8>,
        setting: Option<u64>,
    ) -> BTreeSet<u8> {
        if listed.is_empty() {
            return mine.clone();
        }
        let vanished: BTreeSet<u8> = mine.iter().copied().filter(|n| rule.contains(n) && !listed.contains(n)).collect();
        let deselected: BTreeSet<u8> = mine - rule;
        match setting {
            None => {
                let allowed = if mine.len() <= 50 { 10 } else { mine.len() / 5 };
                let rest = mine - &deselected;
                if vanished.len() <= allowed { &rest - &vanished } else { rest }
            }
            Some(n) if n != 0 && (vanished.len() + deselected.len()) as u64 > n => mine.clone(),
            Some(_) => &(mine - &deselected) - &vanished,
        }
    }

    proptest! {
        #[test]
        fn what_remains_is_what_the_rules_say(
            mine in btree_set(0u8..100, 0..100),
            listed in btree_set(0u8..100, 0..100),
            rule in btree_set(0u8..100, 0..100),
            setting in option::of(0u64..40),
        ) {
            let before = held(&mine);
            let pruned = judged(&before, &listed, &rule, setting);
            let mut after = before.clone();
            for (tag, _) in &pruned.delete {
                prop_assert!(after.remove(tag).is_some(), "only what is held is deleted, and once");
            }
            prop_assert_eq!(&after, &held(&remaining(&mine, &listed, &rule, setting)));
            let kept = names(&listed.intersection(&rule).copied().collect());
            prop_assert!(pruned.held_back.iter().chain(&pruned.delete).all(|(tag, _)| !kept.contains(tag)));
            prop_assert!(pruned.held_back.iter().all(|(tag, _)| after.contains_key(tag)));
            if let (false, Some(limit)) = (pruned.held_back.is_empty(), pruned.limit) {
                prop_assert!(pruned.held_back.len() > limit);
            }
        }

        /// A run that was killed while it deleted, and its successor, delete what one run would have.
        #[test]
        fn an_interrupted_prune_goes_on(
            mine in btree_set(0u8..100, 0..100), listed in btree_set(0u8..100, 1..100),
            rule in btree_set(0u8..100, 0..100), setting in option::of(0u64..40), killed_after in 0usize..100,
        ) {
            let mut rest = held(&mine);
            let whole = judged(&rest, &listed, &rule, setting);
            for (tag, _) in whole.delete.iter().take(killed_after) {
                rest.remove(tag);
            }
            let left: Vec<_> = whole.delete.iter().skip(killed_after).cloned().collect();
            prop_assert_eq!(judged(&rest, &listed, &rule, setting).delete, left);
        }
    }
}
