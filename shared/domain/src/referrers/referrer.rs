//! An entry of a list of referrers: as a list has it, and as the artifact's own manifest makes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MAX_WEIGHT;
use crate::{
    Digest,
    json::{JsonError, Reader},
    manifest::Refusal,
};

/// What an entry, and what an annotation takes beside its texts: the parts of a map and of its texts' allocations.
const ENTRY_WEIGHT: usize = 512;
const ANNOTATION_WEIGHT: usize = 128;

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
        if let Ok(own) = Described::read(manifest, MAX_WEIGHT) {
            self.artifact_type = self.artifact_type.take().or(own.artifact_type);
            self.annotations = self.annotations.take().or(own.annotations);
        }
    }

    /// The entry that the artifact's manifest itself makes, whatever a list says of it. What that takes is taken from
    /// `left`; [`Refusal::TooLarge`] if it is more.
    pub fn described_by(self, manifest: &[u8], left: &mut usize) -> Result<Self, Refusal> {
        let Described { artifact_type, annotations } = Described::read(manifest, *left).map_err(refusal)?;
        let own = Self { artifact_type, annotations, ..self };
        *left = left.checked_sub(own.weight()).ok_or(Refusal::TooLarge)?;
        Ok(own)
    }

    /// Whether it says something that the artifact's manifest does not say. What it leaves out is no such thing.
    pub fn contradicts(&self, manifest: &[u8]) -> bool {
        let Ok(own) = Described::read(manifest, MAX_WEIGHT) else { return true };
        let known = own.annotations.unwrap_or_default();
        let is_other_kind = self.artifact_type.is_some() && self.artifact_type != own.artifact_type;
        is_other_kind || self.annotations.iter().flatten().any(|(key, value)| known.get(key) != Some(value))
    }

    /// Reads an entry, if it weighs no more than what is left of `left`; nothing if it says of no content what it is.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        left: &mut usize,
        has_platform: &mut bool,
    ) -> Result<Option<Self>, JsonError> {
        let (mut media_type, mut digest, mut size) = (String::new(), None, None);
        let (mut artifact_type, mut annotations, mut is_for_platform) = (None, None, false);
        reader.fields(&["mediaType", "digest", "size", "artifactType", "annotations", "platform"], |reader, key| {
            match key {
                "mediaType" => media_type = owned(reader)?.unwrap_or_default(),
                "digest" => digest = reader.text()?.and_then(|text| text.parse().ok()),
                "size" => size = reader.integer()?.and_then(|size| u64::try_from(size).ok()),
                "artifactType" => artifact_type = owned(reader)?,
                "annotations" => annotations = read_annotations(reader, left)?,
                _ => {
                    if !reader.null()? {
                        is_for_platform = true;
                        reader.skip()?;
                    }
                }
            }
            Ok(())
        })?;
        let texts = media_type.len().saturating_add(artifact_type.as_ref().map_or(0, String::len));
        take(left, ENTRY_WEIGHT.saturating_add(texts))?;
        *has_platform |= is_for_platform && artifact_type.is_none();
        let (Some(digest), Some(size)) = (digest, size) else { return Ok(None) };
        Ok(Some(Self { media_type, digest, size, artifact_type, annotations }))
    }
}

/// What a manifest says of itself that a list of referrers repeats: the kind, which is the config's media type where an
/// image names none, and the annotations (distribution-spec v1.1.1, "Listing Referrers").
#[derive(Default)]
struct Described {
    artifact_type: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Described {
    /// Reads it, if its annotations take no more than `left` bytes.
    fn read(manifest: &[u8], mut left: usize) -> Result<Self, JsonError> {
        let (mut kind, mut config_type, mut annotations) = (None, None, None);
        Reader::new(manifest)?.fields(&["artifactType", "config", "annotations"], |reader, key| {
            match key {
                "artifactType" => kind = owned(reader)?,
                "config" => drop(reader.fields(&["mediaType"], |reader, _| {
                    config_type = owned(reader)?;
                    Ok(())
                })?),
                _ => annotations = read_annotations(reader, &mut left)?,
            }
            Ok(())
        })?;
        let artifact_type = kind.filter(|kind: &String| !kind.is_empty()).or(config_type);
        Ok(Self { artifact_type, annotations })
    }
}

fn refusal(error: JsonError) -> Refusal {
    match error {
        JsonError::Long(_) => Refusal::TooLarge,
        error => error.into(),
    }
}

fn owned(reader: &mut Reader<'_>) -> Result<Option<String>, JsonError> {
    Ok(reader.text()?.map(std::borrow::Cow::into_owned))
}

fn take(left: &mut usize, weight: usize) -> Result<(), JsonError> {
    *left = left.checked_sub(weight).ok_or(JsonError::Long("a list of referrers"))?;
    Ok(())
}

fn read_annotations(reader: &mut Reader<'_>, left: &mut usize) -> Result<Option<BTreeMap<String, String>>, JsonError> {
    // They are weighed before they are unfolded.
    reader
        .clone()
        .texts(|key, value| take(left, ANNOTATION_WEIGHT.saturating_add(key.len()).saturating_add(value.len())))?;
    let mut annotations = BTreeMap::new();
    let is_there = reader.texts(|key, value| {
        annotations.insert(key.to_owned(), value.to_owned());
        Ok(())
    })?;
    Ok(is_there.then_some(annotations))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MediaType;

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
    fn the_manifest_has_the_last_word_on_what_it_is() {
        let image = r#"{"config":{"mediaType":"c"},"annotations":{"x":"y"}}"#;
        let artifact = r#"{"artifactType":"a","config":{"mediaType":"c"}}"#;
        let index = r#"{"manifests":[],"annotations":{}}"#;
        for (manifest, kind, annotations) in [(image, Some("c"), 1), (artifact, Some("a"), 0), (index, None, 0)] {
            let (lying, mut left) = (referrer(b"a", MediaType::OciManifest.as_str()), MAX_WEIGHT);
            assert!(lying.contradicts(manifest.as_bytes()), "{manifest}");
            let own = lying.described_by(manifest.as_bytes(), &mut left).unwrap();
            assert_eq!(own.artifact_type.as_deref(), kind, "{manifest}");
            assert_eq!(own.annotations.as_ref().map_or(0, BTreeMap::len), annotations, "{manifest}");
            assert!(!own.contradicts(manifest.as_bytes()), "{manifest}");
            assert_eq!(left, MAX_WEIGHT - own.weight());
            let bare = Referrer { artifact_type: None, annotations: None, ..own };
            assert!(!bare.contradicts(manifest.as_bytes()), "what it leaves out is no lie");
        }
        let plain = || referrer(b"a", MediaType::OciManifest.as_str());
        assert_eq!(plain().described_by(image.as_bytes(), &mut 100), Err(Refusal::TooLarge));
        assert!(plain().described_by(b"<html>", &mut { MAX_WEIGHT }).is_err() && plain().contradicts(b"<html>"));
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
}
