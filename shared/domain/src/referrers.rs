//! Referrers: signatures, SBOMs and attestations, and the tags under which clients look for them.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    Digest, MediaType, TagName,
    manifest::{MAX_MANIFEST_SIZE, Refusal},
};

/// The most referrers of one subject. Their index has to stay a manifest that registries serve.
pub const MAX_REFERRERS: usize = 1_000;
/// The most memory that the referrers of one subject may take, in bytes: as much as the largest index of them has, so that
/// a list of many small annotations is no larger here than there.
pub const MAX_WEIGHT: usize = MAX_MANIFEST_SIZE;
/// What an entry, and what an annotation takes beside its texts: the parts of a map and of its texts' allocations.
const ENTRY_WEIGHT: usize = 512;
const ANNOTATION_WEIGHT: usize = 128;
/// How deep referrers of referrers are followed: a signature of an SBOM of an image, and one more.
pub const MAX_REFERRER_DEPTH: usize = 4;

/// What cosign appends to the referrers tag for signatures, attestations and SBOMs.
const COSIGN_SUFFIXES: [&str; 3] = [".sig", ".att", ".sbom"];

/// A manifest that refers to another one: an entry of the list of referrers (distribution-spec v1.1.1, "Listing
/// Referrers").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    /// Its manifest's media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its manifest's length in bytes.
    pub size: u64,
    /// What kind of artifact it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

impl Referrer {
    /// How many bytes of memory it takes, about.
    pub fn weight(&self) -> usize {
        let annotation =
            |(key, value): (&String, &String)| ANNOTATION_WEIGHT.saturating_add(key.len()).saturating_add(value.len());
        let kind = self.artifact_type.as_ref().map_or(0, String::len);
        let annotations = self.annotations.iter().flatten().map(annotation);
        annotations.fold(ENTRY_WEIGHT.saturating_add(self.media_type.len()).saturating_add(kind), usize::saturating_add)
    }

    /// Adds from the artifact's manifest what its entry lacks: the kind, which is the config's media type where an image
    /// names none, and the annotations (distribution-spec v1.1.1, "Listing Referrers").
    pub fn complete(&mut self, manifest: &[u8]) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Attached {
            artifact_type: Option<String>,
            config: Option<Config>,
            annotations: Option<BTreeMap<String, String>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Config {
            media_type: String,
        }
        let Ok(artifact) = serde_json::from_slice::<Attached>(manifest) else { return };
        let named = artifact.artifact_type.filter(|kind| !kind.is_empty());
        let kind = named.or_else(|| artifact.config.map(|config| config.media_type));
        self.artifact_type = self.artifact_type.take().or(kind);
        self.annotations = self.annotations.take().or(artifact.annotations);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Referrer>,
}

/// An index as it was sent: its annotations are weighed before they are unfolded.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent<'a> {
    #[serde(rename = "schemaVersion")]
    _schema_version: u8,
    #[serde(rename = "mediaType", default)]
    _media_type: IgnoredAny,
    #[serde(default, borrow)]
    manifests: Option<Vec<Entry<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default, borrow)]
    annotations: Option<&'a RawValue>,
}

impl Entry<'_> {
    /// The entry, if it weighs no more than what is left of `left`.
    fn unfold(self, left: &mut usize) -> Result<Referrer, Refusal> {
        let malformed = |_| Refusal::Malformed("no list of referrers".into());
        let annotations = self.annotations.map(RawValue::get);
        let weight = annotations.map(serde_json::from_str::<Weight>).transpose().map_err(malformed)?;
        let texts = self.media_type.len().saturating_add(self.artifact_type.as_ref().map_or(0, String::len));
        let weight = ENTRY_WEIGHT.saturating_add(texts).saturating_add(weight.map_or(0, |weight| weight.0));
        *left = left.checked_sub(weight).ok_or(Refusal::TooLarge)?;
        let annotations = annotations.map(serde_json::from_str).transpose().map_err(malformed)?.flatten();
        let Self { media_type, digest, size, artifact_type, .. } = self;
        Ok(Referrer { media_type, digest, size, artifact_type, annotations })
    }
}

/// What annotations would take unfolded, or 0 for null. Their texts are not kept.
struct Weight(usize);

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Weigher)
    }
}

struct Weigher;

impl<'de> Visitor<'de> for Weigher {
    type Value = Weight;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("annotations")
    }

    fn visit_unit<E>(self) -> Result<Weight, E> {
        Ok(Weight(0))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Weight, A::Error> {
        let mut weight = 0_usize;
        while let Some((Length(key), Length(value))) = map.next_entry()? {
            weight = weight.saturating_add(ANNOTATION_WEIGHT).saturating_add(key).saturating_add(value);
        }
        Ok(Weight(weight))
    }
}

/// The length of a text.
struct Length(usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Length;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Length, E> {
                Ok(Length(text.len()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The tag that holds the index of what refers to `subject` where a registry has no referrers API (distribution-spec
/// v1.1.1, "Referrers Tag Schema").
pub fn referrers_tag(subject: &Digest) -> TagName {
    TagName::attached(subject, "")
}

/// All tags under which clients look for what is attached to `subject`: the referrers tag, and cosign's.
pub fn attached_tags(subject: &Digest) -> impl Iterator<Item = TagName> {
    let cosign = COSIGN_SUFFIXES.into_iter().map(|suffix| TagName::attached(subject, suffix));
    std::iter::once(referrers_tag(subject)).chain(cosign)
}

/// Whether a tag looks like one of [`attached_tags`].
pub fn is_attached_tag(tag: &TagName) -> bool {
    tag.as_str().starts_with("sha256-") || tag.as_str().starts_with("sha512-")
}

/// Parses a list of referrers, or an index as one; [`Refusal::TooLarge`] if it takes more than [`MAX_WEIGHT`].
pub fn parse(bytes: &[u8]) -> Result<Vec<Referrer>, Refusal> {
    let sent: Sent<'_> =
        serde_json::from_slice(bytes).map_err(|_| Refusal::Malformed("no list of referrers".into()))?;
    let mut left = MAX_WEIGHT;
    sent.manifests.into_iter().flatten().map(|entry| entry.unfold(&mut left)).collect()
}

/// The index that a mirror keeps under the referrers tag: the same bytes for the same referrers, in whatever order and
/// however often a registry names them. Those of which a stock registry could not serve the manifest are left out.
pub fn index(referrers: impl IntoIterator<Item = Referrer>) -> Result<Vec<u8>, Refusal> {
    let servable = referrers.into_iter().filter(|referrer| referrer.media_type.parse::<MediaType>().is_ok());
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
    }

    #[test]
    fn entries_are_completed_from_manifests() {
        let complete = |kind: Option<&str>, manifest: &str| {
            let mut entry = referrer(b"a", MediaType::OciManifest.as_str());
            entry.artifact_type = kind.map(Into::into);
            entry.annotations = None;
            entry.complete(manifest.as_bytes());
            (entry.artifact_type.unwrap_or_default(), entry.annotations.unwrap_or_default().len())
        };
        let config = r#""config":{"mediaType":"c"}"#;
        for (kind, manifest, expected) in [
            (None, format!(r#"{{"artifactType":"a",{config},"annotations":{{"x":"y"}}}}"#), ("a".to_owned(), 1)),
            (None, format!(r#"{{"artifactType":"",{config}}}"#), ("c".to_owned(), 0)),
            (None, format!("{{{config}}}"), ("c".to_owned(), 0)),
            (Some("own"), format!("{{{config}}}"), ("own".to_owned(), 0)),
            (None, r#"{"manifests":[]}"#.to_owned(), (String::new(), 0)),
            (None, "<html>".to_owned(), (String::new(), 0)),
        ] {
            assert_eq!(complete(kind, &manifest), expected, "{manifest}");
        }
    }

    #[test]
    fn the_index_is_the_same_for_the_same_referrers_and_can_be_served() {
        let (a, b) = (referrer(b"a", MediaType::OciManifest.as_str()), referrer(b"b", MediaType::OciIndex.as_str()));
        let old = referrer(b"c", "application/vnd.oci.artifact.manifest.v1+json");
        let bytes = index([a.clone(), old, b.clone()]).unwrap();
        assert_eq!(bytes, index([b.clone(), a.clone(), b.clone()]).unwrap());
        let mut parsed = parse(&bytes).unwrap();
        parsed.sort_by_key(|referrer| referrer.artifact_type != a.artifact_type || referrer.digest != a.digest);
        assert_eq!(parsed, [a, b], "artifact type and annotations stay");
        let Content::Index(manifests) = Manifest::parse(&bytes).unwrap().content else { panic!("no index") };
        assert_eq!(manifests.len(), 2);
        assert!(parse(b"<html>").is_err());
        assert_eq!(parse(br#"{"schemaVersion":2,"manifests":null}"#), Ok(vec![]));
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
        let parsed = parse(list(1_000).as_bytes()).unwrap();
        assert_eq!(parsed[0].annotations.as_ref().unwrap().len(), 1_000);
        assert!(parsed[0].weight() <= MAX_WEIGHT);
        assert_eq!(parse(list(40_000).as_bytes()), Err(Refusal::TooLarge));
        for annotations in ["null", "{}"] {
            let text = list(0).replace("{}", annotations);
            assert_eq!(parse(text.as_bytes()).unwrap().len(), 1, "{text}");
        }
        for annotations in ["[]", "1", r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":{}}"#] {
            let text = list(0).replace(r#""annotations":{}"#, &format!(r#""annotations":{annotations}"#));
            assert!(matches!(parse(text.as_bytes()), Err(Refusal::Malformed(_))), "{text}");
        }
    }
}
