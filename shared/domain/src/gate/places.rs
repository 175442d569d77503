//! What falls out of the newest, only once what is before it is really here.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    TagName,
    selection::{Decision, Step, Verdict},
};

/// The tags that are out because others are newer, and stay because too few of those are here: one that could not be
/// copied pushes out none that is served.
pub fn spared(newest: usize, decisions: &[Decision], is_here: impl Fn(&TagName) -> bool) -> BTreeSet<TagName> {
    let mut places: BTreeMap<&Option<String>, BTreeSet<usize>> = BTreeMap::new();
    for decision in decisions.iter().filter(|decision| is_here(&decision.tag)) {
        if let Some(rank) = decision.rank {
            places.entry(&decision.group).or_default().insert(rank);
        }
    }
    let is_spared = |decision: &&Decision| {
        let Some(rank) = decision.rank else { return false };
        let before = places.get(&decision.group).map_or(0, |places| places.range(..rank).count());
        decision.verdict == Verdict::Removed { step: Step::Newest } && is_here(&decision.tag) && before < newest
    };
    decisions.iter().filter(is_spared).map(|decision| decision.tag.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(name: &str, group: &str, rank: usize, newest: usize) -> Decision {
        let verdict = if rank <= newest { Verdict::Kept } else { Verdict::Removed { step: Step::Newest } };
        let group = Some(group.to_owned()).filter(|group| !group.is_empty());
        Decision {
            tag: name.parse().unwrap(),
            verdict,
            key: None,
            group,
            rank: Some(rank),
            spared: None,
            observed: None,
        }
    }

    #[test]
    fn a_place_counts_when_its_tag_is_here() {
        let all = |newest| {
            let of = |name: &str, rank| decision(name, "", rank, newest);
            vec![of("2.0", 1), of("1.9", 2), of("v1.9", 2), of("1.8", 3), of("1.7", 4)]
        };
        let spared = |newest: usize, here: &[&str]| -> Vec<String> {
            let tags = spared(newest, &all(newest), |tag| here.contains(&tag.as_str()));
            tags.iter().map(ToString::to_string).collect()
        };
        assert!(spared(1, &["2.0", "1.9", "1.8"]).is_empty());
        assert_eq!(spared(1, &["1.9", "1.8"]), ["1.9"], "2.0 did not come");
        assert_eq!(spared(1, &["1.8", "1.7"]), ["1.8"], "nor did 1.9");
        assert_eq!(spared(2, &["2.0", "1.8", "1.7"]), ["1.8"]);
        assert!(spared(2, &["2.0", "v1.9", "1.8"]).is_empty(), "two names are one place");
    }

    #[test]
    fn each_group_has_places_of_its_own() {
        let all = [decision("2.0", "2", 1, 1), decision("1.1", "1", 1, 1), decision("1.0", "1", 2, 1)];
        let spared = spared(1, &all, |tag| tag.as_str() != "1.1");
        assert_eq!(spared.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1.0"]);
    }
}
