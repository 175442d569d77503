//! What a registry refuses of what only saves time: the plain way is taken instead, and the run says so.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IntoDeserializer, value},
};

/// A saving that a registry does not go along with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// A part of a blob (`Range`, RFC 9110, 14.2): blobs are read whole.
    Range,
    /// HEAD of a manifest: it is fetched.
    Head,
    /// The referrers API: only the fallback tags are read.
    Referrers,
    /// Several requests at once: one follows the other.
    ParallelRequests,
    /// More than one request on a connection: each has its own.
    KeepAlive,
    /// A listing that says digests: each tag is asked for its own.
    DigestListing,
    /// A manifest by its digest: it is fetched by its tag.
    ManifestByDigest,
    /// HTTP/2: HTTP/1.1 is spoken.
    Http2,
}

impl Fallback {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Range,
        Self::Head,
        Self::Referrers,
        Self::ParallelRequests,
        Self::KeepAlive,
        Self::DigestListing,
        Self::ManifestByDigest,
        Self::Http2,
    ];

    /// Its bit in a set.
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of fallbacks; a list on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fallbacks(u8);

impl Fallbacks {
    /// The set that has these bits, as [`Self::bits`] gives them.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The set as bits, to be kept where threads share it.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// This set with one more.
    #[must_use]
    pub const fn with(self, fallback: Fallback) -> Self {
        Self(self.0 | fallback.bit())
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it is in the set.
    pub const fn contains(self, fallback: Fallback) -> bool {
        self.0 & fallback.bit() != 0
    }

    /// What is in the set.
    pub fn iter(self) -> impl Iterator<Item = Fallback> {
        Fallback::ALL.into_iter().filter(move |fallback| self.contains(*fallback))
    }
}

impl FromIterator<Fallback> for Fallbacks {
    fn from_iter<I: IntoIterator<Item = Fallback>>(fallbacks: I) -> Self {
        fallbacks.into_iter().fold(Self::default(), Self::with)
    }
}

impl Serialize for Fallbacks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Fallbacks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What a later release has noted says nothing here; nor is a run unreadable because of it.
        let known =
            |name: String| Fallback::deserialize(IntoDeserializer::<value::Error>::into_deserializer(name)).ok();
        Ok(Vec::<String>::deserialize(deserializer)?.into_iter().filter_map(known).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_lists_on_the_wire() {
        let set: Fallbacks = [Fallback::Head, Fallback::Range, Fallback::Head].into_iter().collect();
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["range","head"]"#);
        assert_eq!(serde_json::from_str::<Fallbacks>(r#"["head","range"]"#).unwrap(), set);
        assert_eq!(serde_json::from_str::<Fallbacks>(r#"["head","of_tomorrow","range"]"#).unwrap(), set);
        let all: Fallbacks = Fallback::ALL.into_iter().collect();
        assert_eq!(all.iter().count(), Fallback::ALL.len());
        assert!(Fallback::ALL.into_iter().all(|fallback| all.contains(fallback)));
        assert!(!set.contains(Fallback::Referrers) && set.union(all) == all);
    }
}
