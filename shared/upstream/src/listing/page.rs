//! A page of tags with their digests, as an API beside the registry's has it.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};

/// The most entries of a page: ten times what is asked for.
const MAX_ENTRIES: usize = 1_000;

/// What a page says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many of what the API counts are on it.
    pub(crate) count: u64,
    /// How many there are on all pages, if that is said.
    pub(crate) total: Option<u64>,
    /// Whether there is another one, if that is said.
    pub(crate) has_next: Option<bool>,
    /// Tags, and what they point to, as it is written.
    pub(crate) tags: Vec<(String, Option<String>)>,
}

/// A list of no more entries than a page has.
pub(crate) fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX_ENTRIES} entries")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = list.next_element()? {
                if entries.len() >= MAX_ENTRIES {
                    return Err(A::Error::invalid_length(entries.len(), &self));
                }
                entries.push(entry);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_seq(Few(PhantomData))
}
