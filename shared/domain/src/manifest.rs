//! Manifests: what they reference, and which of them a stock registry could not serve.
//!
//! A stock registry parses the stored bytes strictly each time it serves them and answers 500 where that fails, and
//! one such manifest stops its garbage collector for the whole bucket. So what does not parse here must never be stored.

mod descriptor;

pub(crate) use self::descriptor::merged;
pub use self::descriptor::{Descriptor, inline};
use self::descriptor::{Draft, Drafts};
use crate::{
    Digest, MediaType,
    json::{JsonError, Reader},
};

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
    /// An index: its entries as they are, in their order. One digest may have several that say different things of it.
    Index(Vec<Descriptor>),
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
    #[error("a stock registry cannot serve manifests of the media type {0}")]
    MediaType(String),
    /// Not JSON, or not the structure its media type calls for.
    #[error("the manifest is malformed: {0}")]
    Malformed(String),
    /// Both `manifests` and `layers` or `config`: readers would disagree on what it is (CVE-2021-41190).
    #[error("the manifest claims to be an index and an image at once")]
    Ambiguous,
    /// Two lengths of one content.
    #[error("the manifest gives two lengths for {0}")]
    Sizes(Digest),
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

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Long(_) => Self::TooMany,
            error => Self::Malformed(error.to_string()),
        }
    }
}

/// What tells how a manifest is to be read.
#[derive(Debug, Default)]
struct Version {
    schema: i64,
    media_type: String,
    /// Whether it has a list of manifests.
    is_index: bool,
}

impl Version {
    fn read(mut reader: Reader<'_>) -> Result<Self, JsonError> {
        let mut version = Self::default();
        reader.fields(&["schemaVersion", "mediaType", "manifests"], |reader, key| {
            match key {
                "schemaVersion" => version.schema = reader.integer()?.unwrap_or(version.schema),
                "mediaType" => {
                    if let Some(media_type) = reader.text()? {
                        version.media_type = media_type.into_owned();
                    }
                }
                _ => version.is_index = !passes_null(reader)?,
            }
            Ok(())
        })?;
        Ok(version)
    }

    /// Without a media type a stock registry goes by whether there is a list of manifests.
    fn media_type(&self) -> Result<MediaType, Refusal> {
        match self.media_type.as_str() {
            "" if self.is_index => Ok(MediaType::OciIndex),
            "" => Ok(MediaType::OciManifest),
            text => text.parse().map_err(|_| Refusal::MediaType(text.chars().take(QUOTE_LENGTH).collect())),
        }
    }
}

/// Passes a value. Tells whether it was null.
fn passes_null(reader: &mut Reader<'_>) -> Result<bool, JsonError> {
    let is_null = reader.null()?;
    if !is_null {
        reader.skip()?;
    }
    Ok(is_null)
}

/// The parts of a manifest that stock registries read.
#[derive(Debug, Default)]
struct Body {
    config: Option<Draft>,
    layers: Drafts,
    manifests: Drafts,
    has_config: bool,
    has_layers: bool,
    has_manifests: bool,
    /// What is wrong with the annotations. Registries look at those of OCI's manifests only.
    annotations: Option<JsonError>,
}

impl Body {
    /// Reads what such a manifest has. Of what it must not have only whether it is there.
    fn read(mut reader: Reader<'_>, is_index: bool) -> Result<Self, JsonError> {
        let mut body = Self::default();
        reader.fields(&["config", "layers", "manifests", "annotations"], |reader, key| {
            match key {
                "config" if is_index => body.has_config = !passes_null(reader)?,
                "layers" if is_index => body.has_layers = !passes_null(reader)?,
                "manifests" if !is_index => body.has_manifests = !passes_null(reader)?,
                "config" => {
                    body.has_config = !reader.null()?;
                    if body.has_config {
                        // To Go it stays what it was if null comes after it.
                        body.config.get_or_insert_default().read(reader, false)?;
                    }
                }
                "layers" => body.has_layers = body.layers.read(reader, false)?,
                "manifests" => body.has_manifests = body.manifests.read(reader, true)?,
                _ => {
                    let begin = reader.clone();
                    if let Err(error) = reader.texts(|_, _| Ok(())) {
                        body.annotations = Some(error.of(key));
                        *reader = begin;
                        reader.skip()?;
                    }
                }
            }
            Ok(())
        })?;
        Ok(body)
    }
}

impl Manifest {
    /// Parses a manifest's bytes as strictly as a stock registry does when it serves them.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_MANIFEST_SIZE {
            return Err(Refusal::TooLarge);
        }
        let reader = Reader::new(bytes)?;
        let version = Version::read(reader.clone())?;
        if version.schema == 1 {
            return Err(Refusal::Schema1);
        }
        let media_type = version.media_type()?;
        if version.schema != 2 {
            return Err(Refusal::Malformed(format!("schemaVersion {}", version.schema)));
        }
        let body = Body::read(reader, media_type.is_index())?;
        let is_ambiguous = if media_type.is_index() { body.has_config || body.has_layers } else { body.has_manifests };
        if is_ambiguous {
            return Err(Refusal::Ambiguous);
        }
        let is_oci = matches!(media_type, MediaType::OciIndex | MediaType::OciManifest);
        if let Some(error) = body.annotations.filter(|_| is_oci) {
            return Err(error.into());
        }
        let content = if media_type.is_index() {
            Content::Index(body.manifests.finish()?)
        } else if let Some(config) = body.config {
            let config = config.finish()?;
            Content::Image(merged(std::iter::once(&config).chain(&body.layers.finish()?))?)
        } else {
            return Err(Refusal::Malformed("no config".into()));
        };
        Ok(Self { media_type, content })
    }
}

/// What a stock registry announces stored bytes as: the body's media type, or the one that its structure tells. Nothing
/// if it could not serve them.
pub fn announced(bytes: &[u8]) -> Option<MediaType> {
    Version::read(Reader::new(bytes).ok()?).ok()?.media_type().ok()
}

/// A list as Python prints it; no more of it than an error may repeat.
fn quoted(texts: &[String]) -> String {
    let texts = texts.iter().map(|text| format!("'{}'", text.chars().take(QUOTE_LENGTH).collect::<String>()));
    format!("[{}]", texts.take(QUOTE_COUNT).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests;
