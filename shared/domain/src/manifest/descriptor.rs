//! Descriptors, reduced to what is decided by them while they are read: texts are checked to be texts, and not kept.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{MAX_DESCRIPTORS, Refusal};
use crate::{
    Digest,
    json::{JsonError, Reader},
};

/// What is kept of an architecture's name, in bytes: the longest of Go's has ten, and errors quote 120.
const ARCHITECTURE_LENGTH: usize = 120;
/// The annotation by which an index ties an attestation to the image that it is about (by `BuildKit`).
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";
/// Base64 as Go reads it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// A descriptor (image-spec v1.1, `descriptor.md`), reduced to what is decided by it: an index may have tens of thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    pub(super) kind: Kind,
    architecture: Option<Box<str>>,
    reference: Option<Digest>,
    pub(super) has_data: bool,
}

/// What a descriptor's media type says of its content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, or that it is a manifest, of whatever type.
    #[default]
    Manifest,
    /// That it is something else.
    Blob,
    /// That it must not be given on.
    NonDistributable,
}

impl Kind {
    fn of(media_type: &str) -> Self {
        let has = |words: [&str; 2]| words.into_iter().any(|word| media_type.contains(word));
        if has([".foreign.", ".nondistributable."]) {
            Self::NonDistributable
        } else if media_type.is_empty() || has(["manifest", "index"]) {
            Self::Manifest
        } else {
            Self::Blob
        }
    }
}

impl Descriptor {
    /// The architecture that an index gives for it, cut off where it is too long to be one.
    pub fn architecture(&self) -> Option<&str> {
        self.architecture.as_deref().filter(|architecture| !architecture.is_empty())
    }

    /// Whether its media type is a manifest's, or there is none. What the registry has decides in the end.
    pub fn is_manifest(&self) -> bool {
        self.kind == Kind::Manifest
    }

    /// Whether the content is said to be in the descriptor itself.
    pub fn has_data(&self) -> bool {
        self.has_data
    }

    /// The image that it is about, if an index ties it to one.
    pub(crate) fn reference(&self) -> Option<&Digest> {
        self.reference.as_ref()
    }
}

/// One entry for each digest, in their order, after every decision on what else entries say.
pub(crate) fn merged<'a>(entries: impl IntoIterator<Item = &'a Descriptor>) -> Result<Vec<Descriptor>, Refusal> {
    let mut places = std::collections::HashMap::new();
    let mut merged: Vec<Descriptor> = Vec::new();
    for entry in entries {
        if entry.kind == Kind::NonDistributable {
            return Err(Refusal::NonDistributable(entry.digest.clone()));
        }
        let place = *places.entry(&entry.digest).or_insert(merged.len());
        match merged.get_mut(place) {
            None => merged.push(entry.clone()),
            // Content has one length.
            Some(known) if known.size != entry.size => return Err(Refusal::Sizes(entry.digest.clone())),
            Some(known) => {
                known.has_data |= entry.has_data;
                if entry.is_manifest() {
                    known.kind = Kind::Manifest;
                }
            }
        }
    }
    Ok(merged)
}

/// A descriptor that is being read: a key that comes again says it anew, as to Go.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    kind: Kind,
    digest: Option<Digest>,
    size: i64,
    architecture: Option<Box<str>>,
    reference: Option<Digest>,
    has_data: bool,
}

/// Descriptors that are being read. To Go a list that comes again is written over the first one, element by element; those
/// beyond its end are still there when it comes once more.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    drafts: Vec<Draft>,
    length: usize,
}

impl Drafts {
    /// Reads a list of descriptors; whether of an index decides how much of a platform is looked at.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, of_index: bool) -> Result<bool, JsonError> {
        self.length = 0;
        let is_there = reader.list(|reader, place| {
            if place >= MAX_DESCRIPTORS {
                return Err(JsonError::Long("a list of descriptors"));
            }
            if place >= self.drafts.len() {
                self.drafts.push(Draft::default());
            }
            self.length = place + 1;
            match self.drafts.get_mut(place) {
                Some(draft) => draft.read(reader, of_index),
                None => reader.skip(),
            }
        })?;
        if self.length == 0 {
            self.drafts.clear();
        }
        Ok(is_there)
    }

    pub(super) fn finish(mut self) -> Result<Vec<Descriptor>, Refusal> {
        self.drafts.truncate(self.length);
        self.drafts.into_iter().map(Draft::finish).collect()
    }
}

impl Draft {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, of_index: bool) -> Result<(), JsonError> {
        const KEYS: [&str; 8] =
            ["mediaType", "digest", "size", "urls", "annotations", "platform", "data", "artifactType"];
        reader.fields(&KEYS, |reader, key| {
            match key {
                "mediaType" => self.kind = reader.text()?.map_or(self.kind, |text| Kind::of(&text)),
                "digest" => {
                    if let Some(text) = reader.text()? {
                        self.digest = text.parse().ok();
                    }
                }
                "size" => self.size = reader.integer()?.unwrap_or(self.size),
                "urls" => strings(reader)?,
                "annotations" => self.annotations(reader)?,
                "platform" => self.platform(reader, of_index)?,
                "data" => self.has_data = data(reader)?.is_some(),
                _ => drop(reader.text()?),
            }
            Ok(())
        })?;
        Ok(())
    }

    fn annotations(&mut self, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        let is_there = reader.texts(|key, value| {
            if key == REFERENCE_DIGEST {
                self.reference = value.parse().ok();
            }
            Ok(())
        })?;
        if !is_there {
            self.reference = None;
        }
        Ok(())
    }

    fn platform(&mut self, reader: &mut Reader<'_>, of_index: bool) -> Result<(), JsonError> {
        const KEYS: [&str; 6] = ["architecture", "os", "os.version", "os.features", "variant", "features"];
        let keys = if of_index { &KEYS[..] } else { &KEYS[..5] };
        reader.fields(keys, |reader, key| {
            match key {
                "architecture" => {
                    if let Some(name) = reader.text()? {
                        let end = name.floor_char_boundary(ARCHITECTURE_LENGTH);
                        self.architecture = Some(name.get(..end).unwrap_or_default().into());
                    }
                }
                "os.features" | "features" => strings(reader)?,
                _ => drop(reader.text()?),
            }
            Ok(())
        })?;
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Descriptor, Refusal> {
        let Self { kind, digest, size, architecture, reference, has_data } = self;
        let digest =
            digest.ok_or_else(|| Refusal::Malformed("a descriptor has no digest that can be checked".into()))?;
        let size = u64::try_from(size).map_err(|_| Refusal::Malformed(format!("{digest} has the size {size}")))?;
        Ok(Descriptor { digest, size, kind, architecture, reference, has_data })
    }
}

/// Texts that do not matter.
fn strings(reader: &mut Reader<'_>) -> Result<(), JsonError> {
    reader.list(|reader, _| reader.text().map(drop)).map(drop)
}

/// A descriptor's inline content; nothing if it has none.
fn data(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, JsonError> {
    let Some(text) = reader.text()? else { return Ok(None) };
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let data = BASE64.decode(text);
    data.map(Some).map_err(|_| JsonError::Type { key: "", expected: "text in base64" })
}

/// What some descriptor of a manifest holds inline, if that has the digest it gives. As long as the manifest at most.
pub fn inline(manifest: &[u8], digest: &Digest) -> Option<Vec<u8>> {
    let mut found = None;
    let mut descriptor = |reader: &mut Reader<'_>| -> Result<(), JsonError> {
        let (mut names_it, mut bytes) = (false, None);
        reader.fields(&["digest", "data"], |reader, key| {
            match key {
                "digest" => names_it = reader.text()?.is_some_and(|text| text.parse().as_ref() == Ok(digest)),
                _ => bytes = data(reader)?,
            }
            Ok(())
        })?;
        let is_it = |bytes: &Vec<u8>| names_it && Digest::of(digest.algorithm(), bytes) == *digest;
        found = bytes.filter(is_it).or_else(|| found.take());
        Ok(())
    };
    let mut reader = Reader::new(manifest).ok()?;
    let read = reader.fields(&["config", "layers", "manifests"], |reader, key| match key {
        "config" => descriptor(reader),
        _ => reader.list(|reader, _| descriptor(reader)).map(drop),
    });
    read.ok().and(found)
}
