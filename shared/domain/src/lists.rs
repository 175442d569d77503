//! Lists in what people write, bounded.

use serde::Deserialize;

use crate::{
    TagName,
    fnmatch::{Alphabet, Globs},
    rule::MAX_PATTERN_LENGTH,
};

/// A list that says something: one that is empty could mean all or nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<T>", bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Listed<T, const MAX: usize>(pub(crate) Vec<T>);

/// Globs as in the root rule, of which there may be none.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<Glob>")]
pub(crate) struct GlobList(Globs);

/// One of them.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Glob(String);

/// Why a list is not what its field takes; which field that is, is not said here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    #[error("is empty, which could mean all or nothing")]
    Empty,
    #[error("has more than {0} entries")]
    TooMany(usize),
    #[error("is longer than {MAX_PATTERN_LENGTH} bytes")]
    LongGlob,
    #[error("are together too complex")]
    ComplexGlobs,
}

impl GlobList {
    /// Whether one of them matches a tag whole.
    pub(crate) fn is_match(&self, tag: &TagName) -> bool {
        self.0.is_match(tag.as_str())
    }
}

impl<T, const MAX: usize> TryFrom<Vec<T>> for Listed<T, MAX> {
    type Error = ListError;

    fn try_from(list: Vec<T>) -> Result<Self, ListError> {
        match list.len() {
            0 => Err(ListError::Empty),
            length if length > MAX => Err(ListError::TooMany(MAX)),
            _ => Ok(Self(list)),
        }
    }
}

impl TryFrom<String> for Glob {
    type Error = ListError;

    fn try_from(text: String) -> Result<Self, ListError> {
        if text.len() > MAX_PATTERN_LENGTH { Err(ListError::LongGlob) } else { Ok(Self(text)) }
    }
}

impl TryFrom<Vec<Glob>> for GlobList {
    type Error = ListError;

    fn try_from(globs: Vec<Glob>) -> Result<Self, ListError> {
        let texts = globs.iter().map(|Glob(text)| text.as_str());
        Globs::new(texts, Alphabet::TAG).map(Self).map_err(|_| ListError::ComplexGlobs)
    }
}
