//! What is known of a repository, for looking through it once more.

use std::{collections::HashMap, fmt::Write as _};

use moorage_domain::{Digest, RepositoryName, TagName};

use crate::{digests::Digests, live::Live};

/// The most lines that are kept from one invocation to the next, of about 70 bytes each. Of a repository of which more is
/// known, all is read again.
const MOST_LINES: usize = 1_000_000;

/// What was learnt of a repository, and holds whatever happens to it: what a link says that has this entity tag, and what
/// a manifest needs. More may be in it than is needed now; that stays until the next collection.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Facts {
    pub(crate) tags: HashMap<TagName, (String, Digest)>,
    pub(crate) live: Live,
    /// Manifests that nobody needs, and that are images: they go after the others.
    pub(crate) images: Digests,
}

impl Facts {
    /// As a text that another invocation can read; nothing if there is too much.
    pub(crate) fn to_text(&self, repository: &RepositoryName) -> Option<String> {
        if self.size() > MOST_LINES {
            return None;
        }
        let mut text = format!("{repository}\n");
        for (tag, (etag, digest)) in &self.tags {
            // Nobody needs one that could not be read back.
            if !etag.contains(char::is_whitespace) {
                let _ = writeln!(text, "tag {tag} {digest} {etag}");
            }
        }
        for (name, set) in self.sets() {
            for digest in set.iter() {
                let _ = writeln!(text, "{name} {digest}");
            }
        }
        Some(text)
    }

    /// What a text says of a repository; nothing if it is of another one, or no such text.
    pub(crate) fn from_text(text: &str, repository: &RepositoryName) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != repository.as_str() {
            return None;
        }
        let mut facts = Self::default();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["tag", tag, digest, etag] => {
                    facts.tags.insert(tag.parse().ok()?, (etag.to_owned(), digest.parse().ok()?));
                }
                ["manifest", digest] => drop(facts.live.manifests.insert(&digest.parse().ok()?)),
                ["blob", digest] => drop(facts.live.blobs.insert(&digest.parse().ok()?)),
                ["listed", digest] => drop(facts.live.listed.insert(&digest.parse().ok()?)),
                ["image", digest] => drop(facts.images.insert(&digest.parse().ok()?)),
                _ => return None,
            }
        }
        Some(facts)
    }

    /// How much is known.
    pub(crate) fn size(&self) -> usize {
        self.tags.len() + self.sets().iter().map(|(_, set)| set.len()).sum::<usize>()
    }

    fn sets(&self) -> [(&str, &Digests); 4] {
        let live = &self.live;
        [("manifest", &live.manifests), ("blob", &live.blobs), ("listed", &live.listed), ("image", &self.images)]
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::Algorithm;
    use proptest::prelude::*;

    use super::*;

    fn digests(numbers: &[u8]) -> Digests {
        let of = |n: &u8| Digest::of(if n.is_multiple_of(3) { Algorithm::Sha512 } else { Algorithm::Sha256 }, &[*n]);
        numbers.iter().map(of).collect::<Vec<_>>().iter().collect()
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_was_known(
            tags in proptest::collection::hash_map("[a-z0-9_][a-z0-9._-]{0,5}", ("\"[0-9a-f]{4}\"", any::<u8>()), 0..5),
            numbers in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5), 4),
        ) {
            let tags = tags.into_iter().map(|(tag, (etag, n))| (tag.parse().unwrap(), (etag, Digest::sha256(&[n]))));
            let live = Live {
                manifests: digests(&numbers[0]), blobs: digests(&numbers[1]), listed: digests(&numbers[2]),
            };
            let facts = Facts { tags: tags.collect(), live, images: digests(&numbers[3]) };
            let (repository, other) = ("acme/app".parse().unwrap(), "acme/other".parse().unwrap());
            let text = facts.to_text(&repository).unwrap();
            prop_assert_eq!(Facts::from_text(&text, &other), None);
            // What was cut off, or is of a newer build, is nothing.
            prop_assert_eq!(Facts::from_text(&format!("{text}more"), &repository), None);
            prop_assert_eq!(Facts::from_text(&text, &repository), Some(facts));
        }
    }
}
