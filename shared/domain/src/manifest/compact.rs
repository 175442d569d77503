//! The parts of a descriptor that can be long, reduced to what they decide while they are read: texts are checked to be
//! texts, and not kept.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use crate::{Digest, architecture::REFERENCE_DIGEST};

/// What is kept of an architecture's name, in bytes: the longest of Go's has ten, and errors quote 120.
const ARCHITECTURE_LENGTH: usize = 120;

/// Makes a value of a text without keeping the text.
struct Reduce<F>(F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for Reduce<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for Reduce<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok((self.0)(text))
    }
}

/// A text that does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text;

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reduce(|_: &str| Self).deserialize(deserializer)
    }
}

/// Texts that do not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Texts;

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self)
    }
}

impl<'de> Visitor<'de> for Texts {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Self, A::Error> {
        while texts.next_element::<Text>()?.is_some() {}
        Ok(self)
    }
}

/// What a descriptor's media type says of whether it may be given on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerKind {
    /// It may.
    Distributable,
    /// It must not.
    NonDistributable,
}

impl<'de> Deserialize<'de> for LayerKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kind = |media_type: &str| {
            let is_foreign = media_type.contains(".foreign.") || media_type.contains(".nondistributable.");
            if is_foreign { Self::NonDistributable } else { Self::Distributable }
        };
        Reduce(kind).deserialize(deserializer)
    }
}

/// For what machine something is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Platform {
    #[serde(default)]
    architecture: Architecture,
}

impl Platform {
    pub(super) fn architecture(&self) -> &str {
        &self.architecture.0
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Architecture(Box<str>);

impl<'de> Deserialize<'de> for Architecture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reduce(|name: &str| Self(name[..name.floor_char_boundary(ARCHITECTURE_LENGTH)].into()))
            .deserialize(deserializer)
    }
}

/// Annotations: all are texts, and one of them matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Annotations {
    /// The image that an attestation is about.
    pub(super) reference: Option<Digest>,
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for Annotations {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Self, A::Error> {
        while let Some(matters) = entries.next_key_seed(Reduce(|key: &str| key == REFERENCE_DIGEST))? {
            if matters {
                self.reference = entries.next_value_seed(Reduce(|digest: &str| digest.parse().ok()))?;
            } else {
                entries.next_value::<Text>()?;
            }
        }
        Ok(self)
    }
}
