//! What the bucket knows of images and the table does not: what they are for, and what is attached to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, platform::Platform, referrers::Referrer};

/// The most kinds of artifacts that are told of one image; what is of further ones is counted as [`OTHER`].
const MAX_KINDS: usize = 20;
/// The longest name of a kind, in bytes: media types have 255 characters at most.
const KIND_LENGTH: usize = 255;
/// The kind of artifacts that name none, or one too many.
const OTHER: &str = "other";

/// An image that is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailsOf {
    /// Its manifest.
    pub digest: Digest,
    /// The index of what refers to it, if there is one.
    pub referrers: Option<Digest>,
}

/// What is known of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Its manifest.
    pub digest: Digest,
    /// What it is for: of an index all that it lists, whether the repository has it or not.
    pub platforms: Vec<Platform>,
    /// How many artifacts of which kind refer to it.
    pub attached: BTreeMap<String, u64>,
}

/// How many of these there are of each kind.
pub fn count_kinds(referrers: &[Referrer]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for referrer in referrers {
        let kind = referrer.artifact_type.as_deref().filter(|kind| !kind.is_empty() && kind.len() <= KIND_LENGTH);
        let kind = kind.filter(|kind| counts.len() < MAX_KINDS || counts.contains_key(*kind)).unwrap_or(OTHER);
        let count: &mut u64 = counts.entry(kind.to_owned()).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_and_few() {
        let referrer = |kind: Option<String>| Referrer {
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            digest: Digest::sha256(b"x"),
            size: 1,
            artifact_type: kind,
            annotations: None,
        };
        let kinds = ["a/b", "a/b", "c/d"].map(|kind| referrer(Some(kind.to_owned())));
        assert_eq!(count_kinds(&kinds), BTreeMap::from([("a/b".to_owned(), 2), ("c/d".to_owned(), 1)]));
        assert_eq!(
            count_kinds(&[referrer(None), referrer(Some("x".repeat(300)))]),
            BTreeMap::from([(OTHER.to_owned(), 2)])
        );
        let many: Vec<_> = (0..50).map(|number| referrer(Some(format!("a/{number}")))).collect();
        let counts = count_kinds(&many);
        assert_eq!((counts.len(), counts[OTHER], counts.values().sum::<u64>()), (MAX_KINDS + 1, 30, 50));
    }
}
