//! Sets of digests, and what they take of memory: a repository may link to millions.

use std::collections::BTreeSet;

use moorage_domain::{Algorithm, Digest};

/// The value of a SHA-256 digest.
pub(crate) type Sha256 = [u8; 32];

/// A set of digests, in about 45 bytes each.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Digests {
    sha256: BTreeSet<Sha256>,
    others: BTreeSet<Digest>,
}

impl Digests {
    /// Adds one; tells whether it is new.
    pub(crate) fn insert(&mut self, digest: &Digest) -> bool {
        match sha256(digest) {
            Some(value) => self.sha256.insert(value),
            None => self.others.insert(digest.clone()),
        }
    }

    pub(crate) fn contains(&self, digest: &Digest) -> bool {
        match sha256(digest) {
            Some(value) => self.sha256.contains(&value),
            None => self.others.contains(digest),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sha256.len() + self.others.len()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Digest> {
        self.sha256.iter().filter_map(digest).chain(self.others.iter().cloned())
    }

    /// What is in this set and not in another one, in order.
    pub(crate) fn without(&self, other: &Self) -> Vec<Digest> {
        let values = self.sha256.difference(&other.sha256).filter_map(digest);
        values.chain(self.others.difference(&other.others).cloned()).collect()
    }

    /// What is in both sets.
    pub(crate) fn and(&self, other: &Self) -> Vec<Digest> {
        let values = self.sha256.intersection(&other.sha256).filter_map(digest);
        values.chain(self.others.intersection(&other.others).cloned()).collect()
    }
}

impl<'d> Extend<&'d Digest> for Digests {
    fn extend<I: IntoIterator<Item = &'d Digest>>(&mut self, digests: I) {
        for digest in digests {
            self.insert(digest);
        }
    }
}

impl<'d> FromIterator<&'d Digest> for Digests {
    fn from_iter<I: IntoIterator<Item = &'d Digest>>(digests: I) -> Self {
        let mut set = Self::default();
        set.extend(digests);
        set
    }
}

/// The value of a digest, if it is by SHA-256.
pub(crate) fn sha256(digest: &Digest) -> Option<Sha256> {
    (digest.algorithm() == Algorithm::Sha256).then(|| digest.bytes().try_into().ok()).flatten()
}

/// The first byte of a digest's value, by which the blobs are parted in shards.
pub(crate) fn shard(digest: &Digest) -> Option<u8> {
    digest.bytes().first().copied()
}

fn digest(value: &Sha256) -> Option<Digest> {
    format!("sha256:{}", hex::encode(value)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_those_of_the_digests() {
        let of = |algorithm| move |n: u8| Digest::of(algorithm, &[n]);
        for of in [of(Algorithm::Sha256), of(Algorithm::Sha512)] {
            let (some, others) = ([of(0), of(1), of(2)], [of(1), of(2), of(3)]);
            let (one, two): (Digests, Digests) = (some.iter().collect(), others.iter().collect());
            assert_eq!(one.without(&two), [of(0)]);
            assert_eq!(BTreeSet::from_iter(one.and(&two)), BTreeSet::from([of(1), of(2)]));
            assert!(one.contains(&of(0)) && !one.contains(&of(3)));
            assert!(!one.clone().insert(&of(0)) && one.clone().insert(&of(9)));
        }
        assert_eq!(
            shard(&"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse().unwrap()),
            Some(0xe3)
        );
    }
}
