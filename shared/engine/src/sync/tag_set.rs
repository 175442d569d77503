//! Which of a run's tags belong together, in few bytes for each, however long their names are.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
};

use moorage_domain::TagName;

/// Tags, each as 128 bits that are made of it with keys of this process: nobody can choose names that collide.
#[derive(Debug, Clone, Default)]
pub(crate) struct TagSet {
    keys: (RandomState, RandomState),
    tags: HashSet<u128>,
}

impl TagSet {
    /// Adds a tag.
    pub(crate) fn insert(&mut self, tag: &TagName) {
        self.tags.insert(self.mark(tag));
    }

    /// Whether a tag was added.
    pub(crate) fn contains(&self, tag: &TagName) -> bool {
        !self.tags.is_empty() && self.tags.contains(&self.mark(tag))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.tags.len()
    }

    fn mark(&self, tag: &TagName) -> u128 {
        let [one, other] = [&self.keys.0, &self.keys.1].map(|keys| u128::from(keys.hash_one(tag.as_str())));
        one << 64 | other
    }
}

impl<'a> FromIterator<&'a TagName> for TagSet {
    fn from_iter<I: IntoIterator<Item = &'a TagName>>(tags: I) -> Self {
        let mut set = Self::default();
        tags.into_iter().for_each(|tag| set.insert(tag));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_in_it() {
        let tag = |n: usize| format!("{n:0>128}").parse::<TagName>().unwrap();
        let all: Vec<_> = (0..10_000).map(tag).collect();
        let set: TagSet = all.iter().chain(&all[..5]).collect();
        assert_eq!(set.len(), all.len());
        assert!(all.iter().all(|tag| set.contains(tag)) && !set.contains(&tag(10_000)));
        assert!(!TagSet::default().contains(&tag(0)));
    }
}
