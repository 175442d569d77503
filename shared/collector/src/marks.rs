//! The digests that are linked: many millions of links, mostly of the same few hundred thousand blobs.

use std::collections::HashSet;

use moorage_domain::Digest;

/// Marks are sorted and thinned out when there are so many more than after the last time.
const SLACK: usize = 1_000_000;

/// A set of digests, in about 32 bytes each, and 32 MB for those that came twice.
#[derive(Debug, Default)]
pub struct Marks {
    /// SHA-256 digests, the first `sorted` of them in order and each once.
    sha256: Vec<[u8; 32]>,
    sorted: usize,
    others: HashSet<Digest>,
    links: u64,
}

impl Marks {
    /// Adds a link.
    pub fn add(&mut self, digest: Digest) {
        self.links += 1;
        match bytes(&digest) {
            Some(bytes) => self.sha256.push(bytes),
            None => drop(self.others.insert(digest)),
        }
        if self.sha256.len() - self.sorted > SLACK.max(self.sorted) {
            self.thin_out();
        }
    }

    /// Ends the adding.
    pub fn thin_out(&mut self) {
        self.sha256.sort_unstable();
        self.sha256.dedup();
        self.sorted = self.sha256.len();
    }

    /// Whether a digest is linked; after [`Self::thin_out`].
    pub fn has(&self, digest: &Digest) -> bool {
        match bytes(digest) {
            Some(bytes) => self.sha256.binary_search(&bytes).is_ok(),
            None => self.others.contains(digest),
        }
    }

    /// How many links were added.
    pub fn links(&self) -> u64 {
        self.links
    }
}

fn bytes(digest: &Digest) -> Option<[u8; 32]> {
    digest.bytes().try_into().ok()
}

#[cfg(test)]
mod tests {
    use moorage_domain::Algorithm;

    use super::*;

    #[test]
    fn what_was_added_is_marked_and_nothing_else() {
        let mut marks = Marks::default();
        let digest = |n: u32| Digest::sha256(&n.to_be_bytes());
        let long = |n: u32| Digest::of(Algorithm::Sha512, &n.to_be_bytes());
        for n in (0..3_000).step_by(2) {
            for _ in 0..3 {
                marks.add(digest(n));
            }
            marks.add(long(n));
        }
        marks.thin_out();
        assert_eq!((marks.links(), marks.sha256.len()), (6_000, 1_500));
        for n in 0..3_000 {
            assert_eq!((marks.has(&digest(n)), marks.has(&long(n))), (n % 2 == 0, n % 2 == 0), "{n}");
        }
    }
}
