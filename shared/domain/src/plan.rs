//! What a sync does with each tag, decided from data alone.

mod cause;
mod prune;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::cause::Cause;
pub use self::prune::{
    DELETION_GRACE, DELETION_LIMIT_PERCENT, MIN_DELETION_LIMIT, Missing, Prune, Seen, Word, deletion_limit, goes, prune,
};
use crate::{Digest, Generation, MediaType, Timestamp, signature_policy::Approval};

/// A tag as we hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldTag {
    /// Its manifest.
    pub digest: Digest,
    /// Its manifest's media type.
    pub media_type: MediaType,
    /// Bytes of the manifest and everything below it, each digest counted once.
    pub size: u64,
    /// When this tag first pointed to this digest here.
    #[serde(alias = "since")]
    pub first_seen: Timestamp,
    /// When the last sync began that saw it upstream with this digest. Nothing while that is the mirror's last complete
    /// sync, so that a sync of unchanged tags has nothing to write: read it by [`HeldTag::seen`].
    pub last_seen: Option<Timestamp>,
    /// How many complete listings in a row have lacked it although it is to stay; nothing if the last one had it, or the
    /// registry said that it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// The registry's digest, where ours is another one: an index of referrers that was merged from several sources. Of
    /// one that the registry has no tag of, it is our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Digest>,
    /// The architectures that were copied, where others were left out; empty if it is whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// The manifests below it, up to [`MAX_MANIFESTS`]: what referrers may refer to.
    #[serde(default)]
    pub manifests: Vec<Digest>,
    /// Those of them that the index does not list itself, but an index below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<Digest>,
    /// What the index lists and the repository does not have, up to [`MAX_MANIFESTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Digest>,
    /// Whether somebody pointed it back to what it was before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reversion: bool,
    /// Which of the repositories of its name has it.
    #[serde(default)]
    pub generation: Generation,
    /// The entity tag of its link in the bucket, by which it is replaced only where nobody else has done so; nothing
    /// where that was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// That its image was found to be signed as it has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<Approval>>,
}

/// What an index lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Children {
    /// What the repository has of it.
    pub present: Vec<Digest>,
    /// What it does not have: other architectures than its mirror keeps.
    pub left_out: Vec<Digest>,
}

impl HeldTag {
    /// Whether it is an index of referrers that was made here, of which the registry has no tag.
    pub fn is_made_here(&self) -> bool {
        self.source.as_ref() == Some(&self.digest)
    }

    /// The registry's digest of it.
    pub fn upstream(&self) -> &Digest {
        self.source.as_ref().unwrap_or(&self.digest)
    }

    /// Whether nothing of the wanted architectures was left out.
    fn covers(&self, wanted: &[String]) -> bool {
        let has = |wanted: &String| self.architectures.contains(wanted);
        self.architectures.is_empty() || (!wanted.is_empty() && wanted.iter().all(has))
    }

    /// What the index lists, if it is one.
    pub fn children(&self) -> Option<Children> {
        let own = |digest: &&Digest| !self.nested.contains(digest);
        let present = self.manifests.iter().filter(own).cloned().collect();
        self.media_type.is_index().then(|| Children { present, left_out: self.left_out.clone() })
    }

    /// When it was last seen upstream with this digest, by a mirror whose last complete sync began at `last_complete`.
    pub fn seen(&self, last_complete: Option<Timestamp>) -> Timestamp {
        self.last_seen.or(last_complete).map_or(self.first_seen, |seen| seen.max(self.first_seen))
    }
}

/// Bytes of the images that tags point to. Of several tags of one image it counts once; what several images share, for each
/// of them.
pub fn stored<'a>(held: impl Iterator<Item = &'a HeldTag>) -> u64 {
    let images: BTreeMap<_, _> = held.map(|held| (&held.digest, held.size)).collect();
    images.into_values().fold(0, u64::saturating_add)
}

/// The most manifests that are remembered of one tag, so that its item stays small. What refers to the children of a
/// larger index than that is not looked for.
pub const MAX_MANIFESTS: usize = 1_000;

/// What to do with a tag that the rule selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagAction {
    /// We hold the digest that the registry has.
    Keep,
    /// We hold nothing, or another digest.
    Copy,
}

/// Compares what we hold with the digest that the registry announced, and with the architectures that the mirror keeps:
/// all, if `wanted` is empty.
pub fn action(held: Option<&HeldTag>, upstream: &Digest, wanted: &[String]) -> TagAction {
    match held {
        Some(held) if held.upstream() == upstream && held.covers(wanted) => TagAction::Keep,
        _ => TagAction::Copy,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn held() -> HeldTag {
        HeldTag {
            digest: Digest::sha256(&[1]),
            media_type: MediaType::OciManifest,
            size: 1,
            first_seen: Timestamp::from_unix(100),
            last_seen: None,
            missing: None,
            source: None,
            architectures: Vec::new(),
            manifests: Vec::new(),
            nested: Vec::new(),
            left_out: Vec::new(),
            reversion: false,
            generation: Generation::default(),
            link: None,
            approval: None,
        }
    }

    #[test]
    fn an_image_of_two_tags_is_stored_once() {
        let image = |n, size| HeldTag { digest: Digest::sha256(&[n]), size, ..held() };
        let all = [image(1, 5), image(1, 5), image(2, 7), image(3, u64::MAX)];
        assert_eq!((stored(all[..3].iter()), stored(all.iter())), (12, u64::MAX));
    }

    #[test]
    fn what_a_filter_left_out_is_copied_when_it_is_wanted() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let whole = &held();
        let sparse = HeldTag { architectures: names(&["amd64", "arm64"]), ..whole.clone() };
        for (held, wanted, expected) in [
            (whole, &["amd64"][..], TagAction::Keep),
            (&sparse, &["amd64"], TagAction::Keep),
            (&sparse, &["arm64", "amd64"], TagAction::Keep),
            (&sparse, &["arm64", "s390x"], TagAction::Copy),
            (&sparse, &[], TagAction::Copy),
        ] {
            assert_eq!(action(Some(held), &Digest::sha256(&[1]), &names(wanted)), expected, "{wanted:?}");
        }
    }

    #[test]
    fn an_index_lists_what_is_not_below_another_one() {
        let whole = &held();
        let digests = |all: &[u8]| all.iter().map(|n| Digest::sha256(&[*n])).collect::<Vec<_>>();
        let (manifests, nested, left_out) = (digests(&[2, 3, 4]), digests(&[3]), digests(&[5]));
        let index =
            HeldTag { media_type: MediaType::OciIndex, manifests, nested, left_out: left_out.clone(), ..whole.clone() };
        assert_eq!(index.children(), Some(Children { present: digests(&[2, 4]), left_out }));
        assert_eq!(whole.children(), None, "an image lists nothing");
    }

    #[test]
    fn only_a_changed_digest_is_copied() {
        let held = held();
        let held = Some(&held);
        assert_eq!(action(held, &Digest::sha256(&[1]), &[]), TagAction::Keep);
        assert_eq!(action(held, &Digest::sha256(&[2]), &[]), TagAction::Copy);
        assert_eq!(action(None, &Digest::sha256(&[1]), &[]), TagAction::Copy);
    }

    #[test]
    fn a_tag_was_seen_when_it_came_or_by_the_last_complete_sync_unless_that_missed_it() {
        let at = Timestamp::from_unix;
        let mut tag = held();
        assert_eq!(tag.seen(None), at(100));
        assert_eq!(tag.seen(Some(at(90))), at(100), "copied by a sync that did not come to its end");
        assert_eq!(tag.seen(Some(at(200))), at(200));
        tag.last_seen = Some(at(150));
        assert_eq!(tag.seen(Some(at(200))), at(150));
    }
}
