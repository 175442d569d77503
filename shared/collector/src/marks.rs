//! The digests that are linked: many millions of links, mostly of the same few hundred thousand blobs.

use std::collections::HashSet;

use moorage_domain::Digest;

use crate::digests::{Sha256, sha256, shard};

/// Marks are sorted and thinned out when there are so many more than after the last time.
const SLACK: usize = 1_000_000;

/// A set of digests whose values begin with some bytes, in about 32 bytes each, and as much again for those that came
/// twice. Where there are more than may be, it gives up half of the bytes: those digests are for another set.
#[derive(Debug)]
pub struct Marks {
    first: u8,
    last: u8,
    most: usize,
    /// SHA-256 digests, the first `sorted` of them in order and each once.
    sha256: Vec<Sha256>,
    sorted: usize,
    others: HashSet<Digest>,
    links: u64,
}

impl Marks {
    /// No marks yet, of digests whose values begin with `first` to `last`; at most so many of them, unless they all begin
    /// with the same byte.
    pub fn new(first: u8, last: u8, most: usize) -> Self {
        Self { first, last, most, sha256: Vec::new(), sorted: 0, others: HashSet::new(), links: 0 }
    }

    /// Adds a link.
    pub fn add(&mut self, digest: Digest) {
        self.links += 1;
        if !shard(&digest).is_some_and(|shard| (self.first..=self.last).contains(&shard)) {
            return;
        }
        match sha256(&digest) {
            Some(value) => self.sha256.push(value),
            None => drop(self.others.insert(digest)),
        }
        if self.sha256.len() - self.sorted > SLACK.max(self.sorted).min(self.most) || self.others.len() > self.most {
            self.thin_out();
        }
    }

    /// Ends the adding.
    pub fn thin_out(&mut self) {
        self.sha256.sort_unstable();
        self.sha256.dedup();
        while self.sha256.len() + self.others.len() > self.most && self.last > self.first {
            let last = self.first + (self.last - self.first) / 2;
            self.last = last;
            self.sha256.truncate(self.sha256.partition_point(|value| value[0] <= last));
            self.others.retain(|digest| shard(digest).is_some_and(|shard| shard <= last));
        }
        self.sorted = self.sha256.len();
    }

    /// Whether a digest is linked, of those whose values begin with at most [`Self::last`]; after [`Self::thin_out`].
    pub fn has(&self, digest: &Digest) -> bool {
        match sha256(digest) {
            Some(value) => self.sha256.binary_search(&value).is_ok(),
            None => self.others.contains(digest),
        }
    }

    /// The last byte that digests begin with which are marked.
    pub fn last(&self) -> u8 {
        self.last
    }

    /// How many links were added, whatever they begin with.
    pub fn links(&self) -> u64 {
        self.links
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use moorage_domain::Algorithm;
    use proptest::prelude::*;

    use super::*;

    fn digest(n: u32) -> Digest {
        // Some are by the other algorithm.
        Digest::of(if n.is_multiple_of(10) { Algorithm::Sha512 } else { Algorithm::Sha256 }, &n.to_be_bytes())
    }

    #[test]
    fn what_was_added_is_marked_and_nothing_else() {
        let mut marks = Marks::new(0, u8::MAX, 10_000);
        for n in (0..3_000).step_by(2) {
            for _ in 0..3 {
                marks.add(digest(n));
            }
        }
        marks.thin_out();
        assert_eq!((marks.links(), marks.sha256.len() + marks.others.len(), marks.last()), (4_500, 1_500, 255));
        for n in 0..3_000 {
            assert_eq!(marks.has(&digest(n)), n % 2 == 0, "{n}");
        }
    }

    proptest! {
        /// Set after set, as a sweep makes them: each digest is judged once, and rightly, and no set is too large.
        #[test]
        fn sets_of_few_marks_are_all_of_them_together(
            added in proptest::collection::vec(0u32..400, 0..600), most in 1usize..80,
        ) {
            let linked: BTreeSet<u32> = added.iter().copied().collect();
            let (mut first, mut judged) = (0u8, BTreeSet::new());
            loop {
                let mut marks = Marks::new(first, u8::MAX, most);
                for n in &added {
                    marks.add(digest(*n));
                }
                marks.thin_out();
                prop_assert_eq!(marks.links(), added.len() as u64);
                prop_assert!(marks.sha256.len() + marks.others.len() <= most || marks.last() == first);
                for n in (0..400).filter(|n| shard(&digest(*n)).is_some_and(|at| (first..=marks.last()).contains(&at))) {
                    prop_assert!(judged.insert(n));
                    prop_assert_eq!(marks.has(&digest(n)), linked.contains(&n));
                }
                let Some(next) = marks.last().checked_add(1) else { break };
                first = next;
            }
            prop_assert_eq!(judged.len(), 400);
        }
    }
}
