//! Manifests: what they reference, and which of them a stock registry could not serve.
//!
//! A stock registry parses the stored bytes strictly each time it serves them and answers 500 where that fails, and
//! one such manifest stops its garbage collector for the whole bucket. So what does not parse here must never be stored.

mod compact;

use serde::Deserialize;

use self::compact::{Annotations, LayerKind, Platform, Text, Texts};
use crate::{Digest, MediaType};

/// The largest manifest, in bytes: stock registries and most clients read no more.
pub const MAX_MANIFEST_SIZE: usize = 4 * 1024 * 1024;
/// How deep an index may nest. Real ones nest once; the bound keeps a hostile chain of indexes finite.
pub const MAX_INDEX_DEPTH: usize = 8;
/// How many descriptors a tag may reference, over all levels of its indexes: real images have hundreds. What a sync holds
/// of manifests that it has opened is bounded by it.
pub const MAX_DESCRIPTORS: usize = 20_000;

/// A manifest, reduced to what copying it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// From the body, not from any header: it is what a stock registry announces.
    pub media_type: MediaType,
    /// What it points to.
    pub content: Content,
}

/// What a manifest points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An image or artifact: its config and layers, each digest once, in the manifest's order.
    Image(Vec<Descriptor>),
    /// An index: its manifests, each digest once, in the index's order.
    Index(Vec<Descriptor>),
}

/// A descriptor (image-spec v1.1, `descriptor.md`), reduced to what is decided by it: an index may have tens of thousands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(rename = "mediaType")]
    kind: LayerKind,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    platform: Option<Platform>,
    annotations: Option<Annotations>,
    // Parsed only so that a wrong type is refused, as a stock registry would.
    urls: Option<Texts>,
}

impl Descriptor {
    /// The architecture that an index gives for it, cut off where it is too long to be one.
    pub fn architecture(&self) -> Option<&str> {
        let platform = self.platform.as_ref()?;
        Some(platform.architecture()).filter(|architecture| !architecture.is_empty())
    }

    /// The image that it is about, if an index ties it to one.
    pub(crate) fn reference(&self) -> Option<&Digest> {
        self.annotations.as_ref()?.reference.as_ref()
    }
}

/// Why content is refused; each is a reason that the run reports for the tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Over [`MAX_MANIFEST_SIZE`].
    #[error("the manifest is larger than {MAX_MANIFEST_SIZE} bytes, the most that registries serve")]
    TooLarge,
    /// Docker's old format, which registries re-sign or refuse.
    #[error("the manifest is Docker schema 1, which registries no longer serve unchanged")]
    Schema1,
    /// A media type that stock registries answer 500 to.
    #[error("a stock registry cannot serve manifests of the media type {0:?}")]
    MediaType(String),
    /// Not JSON, or not the structure its media type calls for.
    #[error("the manifest is malformed: {0}")]
    Malformed(String),
    /// Both `manifests` and `layers` or `config`: readers would disagree on what it is (CVE-2021-41190).
    #[error("the manifest claims to be an index and an image at once")]
    Ambiguous,
    /// A layer whose media type says that it must not be distributed.
    #[error("layer {0} is non-distributable (foreign)")]
    NonDistributable(Digest),
    /// An index none of whose architectures the mirror keeps. Quay's words.
    #[error("No matching architectures. Requested: {requested}, Available: {available}", requested = quoted(requested), available = quoted(available))]
    NoArchitecture {
        /// The mirror's filter.
        requested: Vec<String>,
        /// What the index has.
        available: Vec<String>,
    },
    /// More descriptors than [`MAX_DESCRIPTORS`].
    #[error("the tag references more than {MAX_DESCRIPTORS} manifests and blobs, the most that are copied for one")]
    TooMany,
    /// More levels of indexes than [`MAX_INDEX_DEPTH`].
    #[error("indexes nest deeper than {MAX_INDEX_DEPTH} levels")]
    TooDeep,
}

/// How many characters of foreign text an error may repeat.
const QUOTE_LENGTH: usize = 120;
/// How many foreign texts an error may repeat.
const QUOTE_COUNT: usize = 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    schema_version: i64,
    #[expect(dead_code, reason = "parsed only so that a wrong type is refused, as a stock registry would")]
    media_type: Option<Text>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    #[expect(dead_code, reason = "parsed only so that a wrong type is refused, as a stock registry would")]
    subject: Option<Descriptor>,
    #[expect(dead_code, reason = "parsed only so that a wrong type is refused, as a stock registry would")]
    artifact_type: Option<Text>,
    #[expect(dead_code, reason = "parsed only so that a wrong type is refused, as a stock registry would")]
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    schema_version: i64,
    media_type: Option<String>,
}

impl Manifest {
    /// Parses a manifest's bytes as strictly as a stock registry does when it serves them.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_MANIFEST_SIZE {
            return Err(Refusal::TooLarge);
        }
        let malformed =
            |error: serde_json::Error| Refusal::Malformed(error.to_string().chars().take(QUOTE_LENGTH).collect());
        let version: Version = serde_json::from_slice(bytes).map_err(malformed)?;
        if version.schema_version == 1 {
            return Err(Refusal::Schema1);
        }
        let announced = version.media_type.as_deref().filter(|media_type| !media_type.is_empty());
        let announced: Option<MediaType> = announced
            .map(|text| text.parse().map_err(|_| Refusal::MediaType(text.chars().take(QUOTE_LENGTH).collect())))
            .transpose()?;
        let body: Body = serde_json::from_slice(bytes).map_err(malformed)?;
        if body.schema_version != 2 {
            return Err(Refusal::Malformed(format!("schemaVersion {}", body.schema_version)));
        }
        let is_index = body.manifests.is_some();
        if is_index && (body.config.is_some() || body.layers.is_some()) {
            return Err(Refusal::Ambiguous);
        }
        // Without a media type a stock registry goes by the presence of `manifests`.
        let media_type = announced.unwrap_or(if is_index { MediaType::OciIndex } else { MediaType::OciManifest });
        let content = match media_type {
            MediaType::OciIndex | MediaType::DockerManifestList => {
                Content::Index(unique(body.manifests.ok_or_else(|| missing("manifests"))?))
            }
            MediaType::OciManifest | MediaType::DockerManifest => image(body)?,
        };
        Ok(Self { media_type, content })
    }
}

/// What a stock registry announces stored bytes as: the body's media type, or the one that its structure tells. Nothing
/// if it could not serve them.
pub fn announced(bytes: &[u8]) -> Option<MediaType> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Announced {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    let body: Announced = serde_json::from_slice(bytes).ok()?;
    match body.media_type.as_deref().unwrap_or_default() {
        "" => Some(if body.manifests.is_some() { MediaType::OciIndex } else { MediaType::OciManifest }),
        media_type => media_type.parse().ok(),
    }
}

fn image(body: Body) -> Result<Content, Refusal> {
    let config = body.config.ok_or_else(|| missing("config"))?;
    let layers = body.layers.ok_or_else(|| missing("layers"))?;
    if let Some(layer) = layers.iter().find(|layer| layer.kind == LayerKind::NonDistributable) {
        return Err(Refusal::NonDistributable(layer.digest.clone()));
    }
    Ok(Content::Image(unique(std::iter::once(config).chain(layers).collect())))
}

/// A list as Python prints it; no more of it than an error may repeat.
fn quoted(texts: &[String]) -> String {
    let texts = texts.iter().map(|text| format!("'{}'", text.chars().take(QUOTE_LENGTH).collect::<String>()));
    format!("[{}]", texts.take(QUOTE_COUNT).collect::<Vec<_>>().join(", "))
}

fn missing(field: &str) -> Refusal {
    Refusal::Malformed(format!("no {field}"))
}

/// Keeps the first descriptor of each digest.
fn unique(mut descriptors: Vec<Descriptor>) -> Vec<Descriptor> {
    let mut seen = std::collections::HashSet::new();
    let mut is_first: Vec<bool> = descriptors.iter().map(|descriptor| seen.insert(&descriptor.digest)).collect();
    is_first.reverse();
    descriptors.retain(|_| is_first.pop().unwrap_or_default());
    descriptors
}

#[cfg(test)]
mod tests;
