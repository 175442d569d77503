//! The places of tags among the newest.

use std::collections::BTreeMap;

use super::decision::Key;
use crate::TagName;

/// What a tag is ranked by. Tags with equal ones share a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    key: Key,
    /// The tag itself, where equal keys are chance.
    tag: Option<TagName>,
}

impl Place {
    /// The place of a tag. Two spellings of one version or number are one thing. That two images were seen in the same
    /// second, as all are in a mirror's first sync, says nothing; there the names decide, and the last one is the newest.
    pub(super) fn new(key: Key, tag: &TagName) -> Self {
        let tag = matches!(key, Key::FirstSeen(_)).then(|| tag.clone());
        Self { key, tag }
    }

    /// What is compared first.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }
}

/// The places that are taken, by group.
#[derive(Debug, Default)]
pub(super) struct Ranking<'a>(BTreeMap<Option<&'a str>, Vec<&'a Place>>);

impl<'a> Ranking<'a> {
    /// The ranking of those that count: each a group and a place.
    pub(super) fn new(counted: impl Iterator<Item = (Option<&'a str>, &'a Place)>) -> Self {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (group, place) in counted {
            groups.entry(group).or_default().push(place);
        }
        for places in groups.values_mut() {
            places.sort_unstable();
            places.dedup();
        }
        Self(groups)
    }

    /// How many places come before this one, and one more. It need not be one of those that count.
    pub(super) fn rank(&self, group: Option<&str>, place: &Place) -> usize {
        let places = self.0.get(&group).map_or(&[][..], Vec::as_slice);
        places.len() - places.partition_point(|other| *other <= place) + 1
    }
}
