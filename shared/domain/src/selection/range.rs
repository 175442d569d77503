//! Ranges of versions, in the dialect of Masterminds' semver (v3), which Helm and Flux have made the usual one.
//!
//! | | |
//! |---|---|
//! | `=1.2.3` or `1.2.3` | that version; with fewer numbers as `~` |
//! | `!=`, `>`, `>=` or `=>`, `<`, `<=` or `=<` | what they say; of `1.2` or `1.x` the numbers that are given count: `>1.2` begins at 1.3.0, `<=1.2` ends before 1.3.0 |
//! | `~1.2.3` or `~>1.2.3` | from there on below 1.3.0; `~1` is below 2.0.0 |
//! | `^1.2.3` | from there on below 2.0.0; `^0.2.3` is below 0.3.0, `^0.0.3` below 0.0.4 |
//! | `1.2.x`, `1.X`, `*` | any number; so is one that is missing |
//! | `1.2 - 1.4.5` | both ends included; the hyphen stands between blanks, as otherwise it begins a prerelease |
//! | `>1 <2` or `>1, <2` | both |
//! | `~1.2 \|\| ~1.4` | either; it binds less than the others |
//!
//! Prereleases are only in what stands between two `||` if one is named there, as in `>=1.2-0`.
//!
//! Where the library's table and its documentation say nothing, this does what the library does (71f2b39, of April 2026):
//! `^*` is 0.0.0 alone, `<=*` is `<=0.0`, `!=*` is `!=0.0.0`. What is different is not in its table:
//!
//! - a hyphen range may follow any other comparison, and touch a `||` (there, it needs a comma, and a blank);
//! - behind a wildcard there is a number or another wildcard (there, a mixture of both may be);
//! - numbers in prereleases may have any length (there, one of more than 64 bits is a word).

use serde::Deserialize;

use super::{comparator::Comparator, version::Version};

/// The longest range, in bytes: it bounds how much a version is compared with. People write some dozens.
pub const MAX_RANGE_LENGTH: usize = 256;

/// A range of versions.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Range(Vec<Alternative>);

/// What stands between two `||`: comparisons that must all be satisfied.
#[derive(Debug, Clone)]
struct Alternative {
    comparators: Vec<Comparator>,
    /// Whether one of them names a prerelease: then prereleases are compared, too.
    names_prerelease: bool,
}

/// Why a text is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Longer than [`MAX_RANGE_LENGTH`].
    #[error("is longer than {MAX_RANGE_LENGTH} bytes")]
    TooLong,
    /// Nothing, or nothing beside a `||`.
    #[error("has nothing to compare with; every version is `*`")]
    Empty,
    /// What cannot be read, from there on.
    #[error("cannot be read from `{0}` on: a comparison is like `>=1.2`, `~1.2.3`, `1.x` or `1.2 - 1.4`")]
    Unreadable(String),
}

impl Range {
    /// Parses a range.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        if text.len() > MAX_RANGE_LENGTH {
            return Err(RangeError::TooLong);
        }
        text.split("||").map(Alternative::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a version is in it. With `prereleases` they are compared even where none is named.
    pub fn contains(&self, version: &Version, prereleases: bool) -> bool {
        self.0.iter().any(|alternative| {
            let is_compared = prereleases || alternative.names_prerelease || !version.is_prerelease();
            is_compared && alternative.comparators.iter().all(|comparator| comparator.admits(version))
        })
    }
}

impl TryFrom<String> for Range {
    type Error = RangeError;

    fn try_from(text: String) -> Result<Self, RangeError> {
        Self::parse(&text)
    }
}

impl Alternative {
    fn parse(text: &str) -> Result<Self, RangeError> {
        let mut rest = text.trim_ascii();
        if rest.is_empty() {
            return Err(RangeError::Empty);
        }
        let mut comparators = Vec::new();
        loop {
            let read = hyphen(rest).or_else(|| single(rest));
            let (found, after) = read.ok_or_else(|| RangeError::Unreadable(rest.to_owned()))?;
            comparators.extend(found);
            if after.is_empty() {
                break;
            }
            // What a version ends at is a blank or a comma.
            let next = after.trim_ascii_start();
            rest = next.strip_prefix(',').map_or(next, str::trim_ascii_start);
            if rest.is_empty() {
                return Err(RangeError::Unreadable(next.to_owned()));
            }
        }
        let names_prerelease = comparators.iter().any(Comparator::names_prerelease);
        Ok(Self { comparators, names_prerelease })
    }
}

/// Reads `1.2 - 1.4` where a text begins with that.
fn hyphen(text: &str) -> Option<(Vec<Comparator>, &str)> {
    let (lower, rest) = word(text);
    let rest = rest.trim_ascii_start().strip_prefix('-')?;
    let (upper, after) = word(rest.trim_ascii_start());
    let is_apart = rest.starts_with(is_blank);
    Comparator::between(lower, upper).filter(|_| is_apart).map(|both| (both.into(), after))
}

/// Reads one comparison. There may be blanks between its operator and its version.
fn single(text: &str) -> Option<(Vec<Comparator>, &str)> {
    let version = text.trim_start_matches(|sign: char| "=!<>~^".contains(sign)).trim_ascii_start();
    let (_, after) = word(version);
    Comparator::parse(&text[..text.len() - after.len()]).map(|one| (vec![one], after))
}

/// What stands before the first blank or comma, and what stands behind it.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|sign| is_blank(sign) || sign == ',').unwrap_or(text.len()))
}

fn is_blank(sign: char) -> bool {
    sign.is_ascii_whitespace()
}

#[cfg(test)]
impl Range {
    /// How many comparisons each alternative has.
    pub(super) fn shape(&self) -> Vec<usize> {
        self.0.iter().map(|alternative| alternative.comparators.len()).collect()
    }
}
