//! Referrers: signatures, SBOMs and attestations, and the tags under which clients look for them.

mod referrer;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    Digest, MediaType, TagName,
    json::{JsonError, Reader},
    manifest::{MAX_MANIFEST_SIZE, Refusal},
    name::ATTACHED_LENGTH,
};

pub use referrer::Referrer;

/// The most referrers of one subject. Their index has to stay a manifest that registries serve.
pub const MAX_REFERRERS: usize = 1_000;
/// The most memory that the referrers of one subject may take, in bytes: as much as the largest index of them has, so that
/// a list of many small annotations is no larger here than there.
pub const MAX_WEIGHT: usize = MAX_MANIFEST_SIZE;
/// How deep referrers of referrers are followed: a signature of an SBOM of an image, and one more.
pub const MAX_REFERRER_DEPTH: usize = 4;

/// What cosign appends to the referrers tag for signatures, attestations and SBOMs.
const COSIGN_SUFFIXES: [&str; 3] = [".sig", ".att", ".sbom"];

/// What a manifest says that it refers to (image-spec v1.1.1, "Image Manifest", `subject`).
pub fn subject(manifest: &[u8]) -> Option<Digest> {
    let mut subject = None;
    let mut reader = Reader::new(manifest).ok()?;
    let read = reader.fields(&["subject"], |reader, _| {
        subject = None;
        reader.fields(&["digest"], |reader, _| {
            subject = reader.text()?.and_then(|text| text.parse().ok());
            Ok(())
        })?;
        Ok(())
    });
    subject.filter(|_| read.is_ok())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Referrer>,
}

/// A list of referrers as it was sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ReferrerList {
    /// The entries that can be read.
    pub referrers: Vec<Referrer>,
    /// How many others there are.
    pub unreadable: usize,
    /// Whether it is an index at all: it says so or lists something; or it does not say what it is, as Go's encoder leaves
    /// out what is empty, and has nothing of an image.
    pub is_index: bool,
    /// Whether an entry of no artifact's kind is for a platform, as images are, and referrers not.
    pub has_platforms: bool,
}

impl ReferrerList {
    /// Whether it is an index of referrers, and not of images.
    pub fn is_of_referrers(&self) -> bool {
        self.is_index && !self.has_platforms
    }
}

/// The tag that holds the index of what refers to `subject` where a registry has no referrers API (distribution-spec
/// v1.1.1, "Referrers Tag Schema").
pub fn referrers_tag(subject: &Digest) -> TagName {
    TagName::attached(subject, "")
}

/// The tag in which cosign has kept the signatures of an image before it had bundles.
pub fn signatures_tag(subject: &Digest) -> TagName {
    TagName::attached(subject, COSIGN_SUFFIXES[0])
}

/// All tags under which clients look for what is attached to `subject`: the referrers tag, and cosign's.
pub fn attached_tags(subject: &Digest) -> impl Iterator<Item = TagName> {
    let cosign = COSIGN_SUFFIXES.into_iter().map(|suffix| TagName::attached(subject, suffix));
    std::iter::once(referrers_tag(subject)).chain(cosign)
}

/// Whether a tag looks like a [`referrers_tag`]: an algorithm, and as many digits as the tag has of either's digests.
pub fn is_referrers_tag(tag: &TagName) -> bool {
    behind_digest(tag) == Some("")
}

/// Whether a tag is made from a digest: a referrers tag, or one with any suffix, as cosign's have. Nobody chose its name.
pub fn is_derived_tag(tag: &TagName) -> bool {
    behind_digest(tag).is_some_and(|suffix| suffix.is_empty() || suffix.starts_with('.'))
}

/// What stands behind the digest that a tag begins with.
fn behind_digest(tag: &TagName) -> Option<&str> {
    let tag = tag.as_str();
    let rest = tag.strip_prefix("sha256-").or_else(|| tag.strip_prefix("sha512-"))?;
    let (hex, suffix) = rest.split_at_checked(ATTACHED_LENGTH)?;
    hex.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(suffix)
}

/// Whether a tag looks like one of [`attached_tags`].
pub fn is_attached_tag(tag: &TagName) -> bool {
    tag.as_str().starts_with("sha256-") || tag.as_str().starts_with("sha512-")
}

/// Parses a list of referrers, or a manifest as one; [`Refusal::TooLarge`] if it takes more than [`MAX_WEIGHT`]. An entry
/// that cannot be read spoils no other.
pub fn parse(bytes: &[u8]) -> Result<ReferrerList, Refusal> {
    let (mut list, mut left, mut version) = (ReferrerList::default(), MAX_WEIGHT, None);
    let mut is_other = false;
    let mut reader = Reader::new(bytes)?;
    let read = reader.fields(&["schemaVersion", "mediaType", "manifests", "config", "layers"], |reader, key| {
        match key {
            "schemaVersion" => version = reader.integer()?,
            "mediaType" => {
                let media_type = reader.text()?.unwrap_or_default();
                let is_index = media_type.parse::<MediaType>().is_ok_and(MediaType::is_index);
                list.is_index |= is_index;
                is_other |= !is_index && !media_type.is_empty();
            }
            "config" | "layers" => {
                if !reader.null()? {
                    is_other = true;
                    reader.skip()?;
                }
            }
            _ => {
                list.is_index = true;
                list.referrers.clear();
                reader.list(|reader, _| {
                    let begin = reader.clone();
                    match Referrer::read(reader, &mut left, &mut list.has_platforms) {
                        Ok(Some(referrer)) => list.referrers.push(referrer),
                        Ok(None) => list.unreadable += 1,
                        Err(error @ JsonError::Long(_)) => return Err(error),
                        Err(_) => {
                            list.unreadable += 1;
                            *reader = begin;
                            reader.skip()?;
                        }
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    });
    match read {
        Ok(_) if version.is_some() => {
            let is_index = list.is_index || version == Some(2) && !is_other;
            Ok(ReferrerList { is_index, ..list })
        }
        Err(JsonError::Long(_)) => Err(Refusal::TooLarge),
        Ok(_) | Err(_) => Err(Refusal::Malformed("no list of referrers".into())),
    }
}

/// Whether a stock registry could serve the manifest of a referrer.
pub fn is_servable(referrer: &Referrer) -> bool {
    referrer.media_type.parse::<MediaType>().is_ok()
}

/// The index that a mirror keeps under the referrers tag: the same bytes for the same referrers, in whatever order and
/// however often a registry names them. Those of which a stock registry could not serve the manifest are left out.
pub fn index(referrers: impl IntoIterator<Item = Referrer>) -> Result<Vec<u8>, Refusal> {
    let servable = referrers.into_iter().filter(is_servable);
    let by_digest: BTreeMap<Digest, Referrer> = servable.map(|referrer| (referrer.digest.clone(), referrer)).collect();
    // What is kept must be read again.
    if by_digest.values().map(Referrer::weight).fold(0, usize::saturating_add) > MAX_WEIGHT {
        return Err(Refusal::TooLarge);
    }
    let index = Index {
        schema_version: 2,
        media_type: MediaType::OciIndex.as_str(),
        manifests: by_digest.into_values().collect(),
    };
    let bytes = serde_json::to_vec(&index).map_err(|error| Refusal::Malformed(error.to_string()))?;
    if bytes.len() > MAX_MANIFEST_SIZE { Err(Refusal::TooLarge) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Algorithm,
        manifest::{Content, Manifest},
    };

    fn referrer(content: &[u8], media_type: &str) -> Referrer {
        Referrer {
            media_type: media_type.to_owned(),
            digest: Digest::sha256(content),
            size: 1,
            artifact_type: Some("application/spdx+json".to_owned()),
            annotations: Some(BTreeMap::from([("a".to_owned(), "b".to_owned())])),
        }
    }

    #[test]
    fn tags_of_a_subject() {
        let tags: Vec<_> = attached_tags(&Digest::sha256(b"")).map(|tag| tag.to_string()).collect();
        let tag = "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(tags, [tag.to_owned(), format!("{tag}.sig"), format!("{tag}.att"), format!("{tag}.sbom")]);
        let long = referrers_tag(&Digest::of(Algorithm::Sha512, b""));
        assert_eq!(long.as_str().len(), "sha512-".len() + 64, "the spec cuts it there");
        assert!(is_attached_tag(&long) && !is_attached_tag(&"v1".parse().unwrap()));
        let are_lists: Vec<_> = attached_tags(&Digest::sha256(b"")).map(|tag| is_referrers_tag(&tag)).collect();
        assert_eq!(are_lists, [true, false, false, false], "cosign's own tags are images");
        assert!(is_referrers_tag(&long) && !is_referrers_tag(&"sha256-e3b0".parse().unwrap()));
    }

    #[test]
    fn tags_that_digests_make_are_not_those_that_only_begin_alike() {
        let mut derived: Vec<_> = attached_tags(&Digest::sha256(b"")).collect();
        derived.extend([
            referrers_tag(&Digest::of(Algorithm::Sha512, b"")),
            format!("{}.vex", derived[0]).parse().unwrap(),
        ]);
        assert!(derived.iter().all(is_derived_tag));
        let [subject, short] = [&derived[0].as_str()[..71], &derived[0].as_str()[..70]];
        let others =
            [format!("{subject}0"), format!("{subject}-sig"), short.to_owned(), "v1.sig".into(), "sha256-main".into()];
        assert!(others.iter().all(|tag| !is_derived_tag(&tag.parse().unwrap())));
    }

    #[test]
    fn subjects_of_manifests() {
        let digest = Digest::sha256(b"");
        for (manifest, expected) in [
            (format!(r#"{{"subject":{{"mediaType":"a","digest":"{digest}","size":1}}}}"#), true),
            (format!(r#"{{"subject":{{"digest":"{digest}"}},"subject":null}}"#), false),
            (format!(r#"{{"config":{{"digest":"{digest}"}}}}"#), false),
            (format!(r#"{{"subject":"{digest}"}}"#), false),
            (r#"{"subject":{"digest":7}}"#.to_owned(), false),
            ("<html>".to_owned(), false),
        ] {
            assert_eq!(subject(manifest.as_bytes()).is_some(), expected, "{manifest}");
        }
    }

    #[test]
    fn the_index_is_the_same_for_the_same_referrers_and_can_be_served() {
        let (a, b) = (referrer(b"a", MediaType::OciManifest.as_str()), referrer(b"b", MediaType::OciIndex.as_str()));
        let old = referrer(b"c", "application/vnd.oci.artifact.manifest.v1+json");
        let bytes = index([a.clone(), old, b.clone()]).unwrap();
        assert_eq!(bytes, index([b.clone(), a.clone(), b.clone()]).unwrap());
        let mut parsed = parse(&bytes).unwrap().referrers;
        parsed.sort_by_key(|referrer| referrer.artifact_type != a.artifact_type || referrer.digest != a.digest);
        assert_eq!(parsed, [a, b], "artifact type and annotations stay");
        let Content::Index(manifests) = Manifest::parse(&bytes).unwrap().content else { panic!("no index") };
        assert_eq!(manifests.len(), 2);
        assert!(parse(b"<html>").is_err());
        for (list, is_index) in [
            (r#"{"schemaVersion":2,"manifests":null}"#, true),
            (r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}"#, true),
            (r#"{"schemaVersion":2}"#, true),
            (r#"{"schemaVersion":2,"mediaType":"","config":null}"#, true),
            (r#"{"schemaVersion":2,"layers":[]}"#, false),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#, false),
            (r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#, false),
        ] {
            assert_eq!(parse(list.as_bytes()), Ok(ReferrerList { is_index, ..ReferrerList::default() }), "{list}");
        }
    }

    #[test]
    fn an_entry_that_cannot_be_read_spoils_no_other() {
        let good = serde_json::to_string(&referrer(b"a", MediaType::OciManifest.as_str())).unwrap();
        let digest = Digest::sha256(b"");
        let list = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"digest":"sha256:1","size":1}},{good},{{"digest":"{digest}","size":-1}},
            {{"digest":"{digest}","size":1,"annotations":{{"a":{{"b":[1]}}}}}},7,{{"digest":"{digest}","size":"1"}},
            {{"digest":"{digest}","size":1,"Digest":"x"}},null,{{"digest":"{digest}","size":9223372036854775808}}]}}"#
        );
        let list = parse(list.as_bytes()).unwrap();
        assert_eq!((list.referrers.len(), list.unreadable), (1, 8));
        let odd = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"digest":"{digest}","size":1,"annotations":{{"a":"\ud800"}}}}]}}"#
        );
        assert_eq!(parse(odd.as_bytes()).unwrap().referrers.len(), 1, "a lone surrogate");
    }

    #[test]
    fn many_small_annotations_are_too_large_together() {
        let list = |count: usize| {
            let annotations: Vec<_> = (0..count).map(|number| format!(r#""{number:x}":"""#)).collect();
            let digest = Digest::sha256(b"");
            let annotations = annotations.join(",");
            format!(
                r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"a","digest":"{digest}","size":1,"annotations":{{{annotations}}}}}]}}"#
            )
        };
        let parsed = parse(list(1_000).as_bytes()).unwrap().referrers;
        assert_eq!(parsed[0].annotations.as_ref().unwrap().len(), 1_000);
        assert!(parsed[0].weight() <= MAX_WEIGHT);
        assert_eq!(parse(list(40_000).as_bytes()), Err(Refusal::TooLarge));
        for annotations in ["null", "{}"] {
            let text = list(0).replace("{}", annotations);
            assert_eq!(parse(text.as_bytes()).unwrap().referrers.len(), 1, "{text}");
        }
        for annotations in ["[]", "1", r#"{"a":1}"#, r#"{"a":{}}"#] {
            let text = list(0).replace(r#""annotations":{}"#, &format!(r#""annotations":{annotations}"#));
            assert_eq!(parse(text.as_bytes()).unwrap().unreadable, 1, "{text}");
        }
    }
}
