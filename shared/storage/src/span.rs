//! Parts of the keys below the folder of all repositories, so that several can be listed at once.

/// Folders of repositories by which the keys are parted are looked for one level deeper where there are fewer.
pub(crate) const FEW_FOLDERS: usize = 64;
/// Spans that a list of folders is made into: some more than are listed at once, because they are of different sizes.
const SPANS: usize = 128;
/// The characters that a digest's value may begin with, and what comes behind all of them.
const HEX: &[u8] = b"0123456789abcdefg";

/// The keys behind one and before another; both, like the keys, without what is before the repositories' names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) after: String,
    /// The end has none.
    pub(crate) before: Option<String>,
}

impl Span {
    /// All keys, parted at some of these folders, which end in a slash.
    pub(crate) fn all(mut folders: Vec<String>) -> Vec<Self> {
        folders.sort_unstable();
        folders.dedup();
        let size = folders.len().div_ceil(SPANS).max(1);
        let mut starts: Vec<String> = folders.into_iter().skip(size).step_by(size).collect();
        starts.insert(0, String::new());
        let ends = starts.iter().skip(1).cloned().map(Some).chain([None]).collect::<Vec<_>>();
        starts.into_iter().zip(ends).map(|(after, before)| Self { after, before }).collect()
    }

    /// Whether a key is behind its end.
    pub(crate) fn is_over(&self, key: &str) -> bool {
        self.before.as_deref().is_some_and(|before| key >= before)
    }

    /// Parts what is left of it where it goes on inside the digests of one repository: a repository may have millions.
    pub(crate) fn parted(self) -> Vec<Self> {
        let Some((folder, next)) = folder_of_digests(&self.after) else { return vec![self] };
        let ends = HEX.iter().filter(|hex| **hex > next).map(|hex| format!("{folder}{}", char::from(*hex)));
        let mut after = self.after.clone();
        let mut parts = Vec::new();
        for end in ends {
            if self.is_over(&end) {
                break;
            }
            parts.push(Self { after: std::mem::replace(&mut after, end.clone()), before: Some(end) });
        }
        parts.push(Self { after, before: self.before });
        parts
    }
}

/// The folder of digests that a key is in, with its slash, and the first character behind it.
fn folder_of_digests(key: &str) -> Option<(&str, u8)> {
    let end = ["/sha256/", "/sha512/"].iter().filter_map(|name| Some(key.find(name)? + name.len())).min()?;
    Some((key.get(..end)?, *key.as_bytes().get(end)?))
}

/// Where to go on behind a key, if nobody wants to know of tags: they may be most of the keys.
pub(crate) fn behind_tags(key: &str) -> String {
    const TAGS: &str = "/_manifests/tags/";
    // The character behind the slash: behind everything in the folder.
    key.find(TAGS).map_or_else(|| key.to_owned(), |at| format!("{}0", &key[..at + TAGS.len() - 1]))
}

/// Where to go on behind a key, if only the names of repositories matter.
pub(crate) fn behind_repository(key: &str) -> String {
    // The character behind the underscore, with which nothing of ours begins but the repository's own folders.
    key.find("/_").map_or_else(|| key.to_owned(), |at| format!("{}/`", &key[..at]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_span(span: &Span, key: &str) -> bool {
        key > span.after.as_str() && !span.is_over(key)
    }

    #[test]
    fn what_is_skipped_is_all_of_the_tags_or_of_the_repository() {
        let tag = "a/b/_manifests/tags/v1/current/link";
        let next = behind_tags(tag);
        assert!(next.as_str() > "a/b/_manifests/tags/zz/index/sha256/ff/link" && next.as_str() < "a/b/c/_layers/x");
        assert_eq!(behind_tags("a/b/_layers/sha256/00/link"), "a/b/_layers/sha256/00/link");
        let next = behind_repository(tag);
        for (key, is_behind) in [
            ("a/b/_uploads/x", false),
            ("a/b/_layers/sha256/00/link", false),
            ("a/b/0/_layers/sha256/00/link", false),
            ("a/b/c/_layers/sha256/00/link", true),
            ("a/b0/_layers/sha256/00/link", true),
        ] {
            assert_eq!(key > next.as_str(), is_behind, "{key}");
        }
    }

    proptest! {
        #[test]
        fn each_key_is_in_one_span(folders in proptest::collection::vec("[a-c]{1,2}/", 0..300), key in "[a-d]{1,2}/[a-z]") {
            let spans = Span::all(folders);
            prop_assert_eq!(spans.iter().filter(|span| in_span(span, &key)).count(), 1);
            prop_assert!(spans.len() <= SPANS + 1);
        }

        #[test]
        fn each_key_that_is_left_is_in_one_part(
            after in "a/(b|c)/(_layers|_manifests/revisions)/sha(256|512)/[0-9a-f]{1,3}",
            before in proptest::option::of("a/[b-d](/(_layers|_manifests/revisions)/sha256/[0-9a-f]{1,2})?"),
            keys in proptest::collection::vec("a/[a-d]/(_layers|_manifests/revisions)/sha(256|512)/[0-9a-f]{2,3}", 1..50),
        ) {
            let whole = Span { after, before };
            let parts = whole.clone().parted();
            for key in keys {
                let found = parts.iter().filter(|part| in_span(part, &key)).count();
                prop_assert_eq!(found, usize::from(in_span(&whole, &key)), "{} {:?}", key, parts);
            }
        }
    }
}
