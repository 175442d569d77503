//! What a listing says that tags point to, in 40 bytes a tag.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
};

use moorage_domain::{Digest, TagName};

use super::Doubt;

/// The most tags of a listing: as many as a repository may have.
const MAX_TAGS: usize = 500_000;

/// Digests by tag. A tag is known by a hash of its name whose key nobody else has: two that fall together are a doubt.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    hasher: RandomState,
    /// Sorted, once all are there.
    entries: Vec<(u64, [u8; 32])>,
    /// Tags that something is wrong with.
    doubtful: HashSet<u64>,
}

impl Digests {
    /// None yet, to be put together with these.
    pub(crate) fn beside(&self) -> Self {
        Self { hasher: self.hasher.clone(), ..Self::default() }
    }

    /// Takes in what was gathered beside these.
    pub(crate) fn take(&mut self, other: Self) -> Result<(), Doubt> {
        self.entries.extend(other.entries);
        self.doubtful.extend(other.doubtful);
        if self.entries.len().saturating_add(self.doubtful.len()) > MAX_TAGS { Err(Doubt) } else { Ok(()) }
    }

    /// Adds what the listing says of a tag: a digest, or nothing that is one.
    pub(crate) fn add(&mut self, tag: &str, digest: Option<&str>) -> Result<(), Doubt> {
        if self.entries.len().saturating_add(self.doubtful.len()) >= MAX_TAGS {
            return Err(Doubt);
        }
        let tag = self.hasher.hash_one(tag);
        if let Some(digest) = digest.and_then(|digest| digest.parse().ok()).as_ref().and_then(bytes) {
            self.entries.push((tag, digest));
        } else {
            self.doubtful.insert(tag);
        }
        Ok(())
    }

    /// How many tags and digests were said.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All are there.
    pub(crate) fn end(mut self) -> Self {
        self.entries.sort_unstable();
        self.entries.dedup();
        self
    }

    /// Whether the listing says of a tag that it points to this digest, and nothing else of it.
    pub(crate) fn say(&self, tag: &TagName, digest: &Digest) -> bool {
        self.of(tag).is_some_and(|said| Some(said) == bytes(digest))
    }

    /// Whether the listing says plainly of any of these tags what it points to. There is nothing to say where there are none.
    pub(crate) fn are_of_use<'t>(&self, tags: impl IntoIterator<Item = &'t TagName>) -> bool {
        let mut tags = tags.into_iter().peekable();
        tags.peek().is_none() || tags.any(|tag| self.of(tag).is_some())
    }

    /// What is said of a tag, if that is one thing and no doubt.
    fn of(&self, tag: &TagName) -> Option<[u8; 32]> {
        let tag = self.hasher.hash_one(tag.as_str());
        let first = self.entries.partition_point(|(other, _)| *other < tag);
        let mut entries = self.entries.iter().skip(first).take_while(|(other, _)| *other == tag);
        let (_, said) = entries.next()?;
        (entries.next().is_none() && !self.doubtful.contains(&tag)).then_some(*said)
    }
}

/// A SHA-256 digest's value. Others are rare, and asked for.
fn bytes(digest: &Digest) -> Option<[u8; 32]> {
    digest.bytes().try_into().ok()
}

#[cfg(test)]
mod tests {
    use moorage_domain::Algorithm;

    use super::*;

    #[test]
    fn only_what_is_said_once_and_plainly_counts() {
        let (one, other) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
        let long = Digest::of(Algorithm::Sha512, b"1");
        let tag = |text: &str| text.parse::<TagName>().unwrap();
        let mut digests = Digests::default();
        for (name, digest) in [
            ("same", Some(one.to_string())),
            ("same", Some(one.to_string())),
            ("two", Some(one.to_string())),
            ("two", Some(other.to_string())),
            ("none", None),
            ("odd", Some("sha256:1".to_owned())),
            ("odd", Some(one.to_string())),
            ("long", Some(long.to_string())),
        ] {
            digests.add(name, digest.as_deref()).unwrap();
        }
        let digests = digests.end();
        assert!(digests.say(&tag("same"), &one) && !digests.say(&tag("same"), &other));
        for name in ["two", "none", "odd", "missing"] {
            assert!(!digests.say(&tag(name), &one) && !digests.say(&tag(name), &other), "{name}");
        }
        assert!(!digests.say(&tag("long"), &long), "is asked for");
        let all = ["two", "none", "odd", "long", "missing", "same"].map(tag);
        assert!(digests.are_of_use(&all) && digests.are_of_use(&[]), "where there is nothing to say, nothing lacks");
        assert!(!digests.are_of_use(&all[..5]), "nothing is said plainly of any of them");
    }

    #[test]
    fn there_is_an_end_of_them() {
        let (mut digests, digest) = (Digests::default(), Digest::sha256(b"1").to_string());
        let added = (0..=MAX_TAGS).take_while(|number| digests.add(&number.to_string(), Some(&digest)).is_ok()).count();
        assert_eq!(added, MAX_TAGS);
    }
}
