//! Manifests: what they reference, and which of them a stock registry could not serve.
//!
//! A stock registry parses the stored bytes strictly each time it serves them and answers 500 where that fails, and
//! one such manifest stops its garbage collector for the whole bucket. So what does not parse here must never be stored.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Digest, MediaType, architecture::REFERENCE_DIGEST};

/// The largest manifest, in bytes: stock registries and most clients read no more.
pub const MAX_MANIFEST_SIZE: usize = 4 * 1024 * 1024;
/// How deep an index may nest. Real ones nest once; the bound keeps a hostile chain of indexes finite.
pub const MAX_INDEX_DEPTH: usize = 8;

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

/// A descriptor (image-spec v1.1, `descriptor.md`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of what it points to.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    platform: Option<Platform>,
    annotations: Option<BTreeMap<String, String>>,
    // Parsed only so that a wrong type is refused, as a stock registry would.
    urls: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
}

impl Descriptor {
    /// The architecture that an index gives for it.
    pub fn architecture(&self) -> Option<&str> {
        let platform = self.platform.as_ref()?;
        Some(platform.architecture.as_str()).filter(|architecture| !architecture.is_empty())
    }

    /// The image that it is about, if an index ties it to one.
    pub(crate) fn reference(&self) -> Option<Digest> {
        self.annotations.as_ref()?.get(REFERENCE_DIGEST)?.parse().ok()
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
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    #[expect(dead_code, reason = "parsed only so that a wrong type is refused, as a stock registry would")]
    subject: Option<Descriptor>,
    #[expect(dead_code, reason = "parsed only so that a wrong type is refused, as a stock registry would")]
    artifact_type: Option<String>,
    #[expect(dead_code, reason = "parsed only so that a wrong type is refused, as a stock registry would")]
    annotations: Option<BTreeMap<String, String>>,
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
        debug_assert_eq!(
            body.media_type.as_deref().unwrap_or_default(),
            version.media_type.as_deref().unwrap_or_default()
        );
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
    let foreign =
        |layer: &&Descriptor| layer.media_type.contains(".foreign.") || layer.media_type.contains(".nondistributable.");
    if let Some(layer) = layers.iter().find(foreign) {
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
fn unique(descriptors: Vec<Descriptor>) -> Vec<Descriptor> {
    let mut seen = std::collections::HashSet::new();
    descriptors.into_iter().filter(|descriptor| seen.insert(descriptor.digest.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn descriptor(media_type: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{EMPTY}","size":0}}"#)
    }

    fn parse(body: &str) -> Result<Manifest, Refusal> {
        Manifest::parse(body.as_bytes())
    }

    #[test]
    fn the_body_decides_the_media_type() {
        let layer = descriptor("application/vnd.oci.image.layer.v1.tar");
        for (body, media_type) in [
            (format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[{layer}]}}"#), MediaType::OciManifest),
            (format!(r#"{{"schemaVersion":2,"manifests":[{layer}]}}"#), MediaType::OciIndex),
            (r#"{"schemaVersion":2,"manifests":[]}"#.into(), MediaType::OciIndex),
            (
                format!(
                    r#"{{"schemaVersion":2,"mediaType":"{}","config":{layer},"layers":[]}}"#,
                    MediaType::DockerManifest
                ),
                MediaType::DockerManifest,
            ),
            (
                format!(
                    r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{layer}]}}"#,
                    MediaType::DockerManifestList
                ),
                MediaType::DockerManifestList,
            ),
        ] {
            let manifest = parse(&body).unwrap();
            assert_eq!(manifest.media_type, media_type, "{body}");
            assert_eq!(announced(body.as_bytes()), Some(media_type), "{body}");
            let (Content::Image(descriptors) | Content::Index(descriptors)) = manifest.content;
            assert!(descriptors.len() <= 1, "each digest once");
        }
    }

    #[test]
    fn what_registries_cannot_serve_is_refused() {
        let layer = descriptor("x/y");
        let foreign = descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
        for (body, name) in [
            (r#"{"schemaVersion":1,"name":"a","fsLayers":[]}"#.to_owned(), "Schema1"),
            ("not json".into(), "Malformed"),
            ("[]".into(), "Malformed"),
            (r#"{"schemaVersion":3,"manifests":[]}"#.into(), "Malformed"),
            (r#"{"schemaVersion":2}"#.into(), "Malformed"),
            (
                r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[]}"#.into(),
                "MediaType",
            ),
            (format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[],"manifests":[]}}"#), "Ambiguous"),
            (format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[{foreign}]}}"#), "NonDistributable"),
            (format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[],"annotations":{{"a":1}}}}"#), "Malformed"),
            (
                r#"{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:zz","size":1}]}"#.into(),
                "Malformed",
            ),
            (
                format!(r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"x","digest":"{EMPTY}","size":"1"}}]}}"#),
                "Malformed",
            ),
            (
                format!(r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"x","digest":"{EMPTY}","size":-1}}]}}"#),
                "Malformed",
            ),
            (" ".repeat(MAX_MANIFEST_SIZE + 1), "TooLarge"),
        ] {
            let refusal = format!("{:?}", parse(&body).unwrap_err());
            assert!(refusal.starts_with(name), "{refusal} for {}", &body[..body.len().min(100)]);
        }
    }
}
