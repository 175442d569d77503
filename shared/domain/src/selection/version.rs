//! Versions as tags spell them.

use std::{cmp::Ordering, fmt};

/// A version as Masterminds' `NewVersion` takes it: `v` before it or not, one to three numbers (what is missing is 0),
/// then a prerelease behind `-` and a build behind `+`. Leading zeros of the three numbers are no matter.
///
/// Versions are compared by the precedence of semver 2.0.0 (11): the build has no part in it, so that `1.2.0`, `v1.2` and
/// `1.2.0+x` are equal.
#[derive(Debug, Clone)]
pub struct Version {
    /// Major, minor and patch.
    numbers: [u64; 3],
    /// Its identifiers with dots between; empty for a release.
    prerelease: String,
    /// Its identifiers with dots between; empty for none.
    build: String,
}

/// A text at the places where versions have their parts, none of which is looked at yet.
pub(super) struct Parts<'a> {
    /// What stands between the dots: one to three.
    pub(super) numbers: Vec<&'a str>,
    prerelease: Option<&'a str>,
    build: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Splits a text whose build begins at one of `builds`; `None` if it has a fourth number.
    pub(super) fn split(text: &'a str, builds: &[char]) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = optional(text.split_once(builds), text);
        let (text, prerelease) = optional(text.split_once('-'), text);
        let numbers: Vec<_> = text.splitn(4, '.').collect();
        (numbers.len() <= 3).then_some(Self { numbers, prerelease, build })
    }

    /// The version that has these numbers, and the prerelease and build that were split off.
    pub(super) fn version(&self, numbers: [u64; 3]) -> Option<Version> {
        let is_prerelease = |text: &str| text.split('.').all(|part| is_identifier(part) && !is_padded(part));
        let is_build = |text: &str| text.split('.').all(is_identifier);
        (self.prerelease.is_none_or(is_prerelease) && self.build.is_none_or(is_build)).then(|| Version {
            numbers,
            prerelease: self.prerelease.unwrap_or_default().to_owned(),
            build: self.build.unwrap_or_default().to_owned(),
        })
    }
}

impl Version {
    /// Parses a version by itself.
    pub fn parse(text: &str) -> Option<Self> {
        Self::behind(text, &['+'])
    }

    /// Parses the version that a tag is. No tag can hold a `+`: `_` is one, as Helm writes it.
    pub fn of_tag(text: &str) -> Option<Self> {
        Self::behind(text, &['+', '_'])
    }

    fn behind(text: &str, builds: &[char]) -> Option<Self> {
        let parts = Parts::split(text, builds)?;
        let mut numbers = [0; 3];
        for (number, digits) in numbers.iter_mut().zip(&parts.numbers) {
            *number = self::number(digits)?;
        }
        parts.version(numbers)
    }

    /// The first number.
    pub fn major(&self) -> u64 {
        self.numbers[0]
    }

    /// The second number.
    pub fn minor(&self) -> u64 {
        self.numbers[1]
    }

    /// The third number.
    pub fn patch(&self) -> u64 {
        self.numbers[2]
    }

    /// Whether it comes before the release of the same numbers.
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }

    /// Whether both have the same prerelease, or none.
    pub(super) fn has_prerelease_of(&self, other: &Self) -> bool {
        self.prerelease == other.prerelease
    }
}

/// Digits as a number; `None` where it is larger than 64 bits, as Masterminds refuses it.
pub(super) fn number(digits: &str) -> Option<u64> {
    // Rust's own parser takes a sign, too.
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

fn optional<'a>(split: Option<(&'a str, &'a str)>, whole: &'a str) -> (&'a str, Option<&'a str>) {
    split.map_or((whole, None), |(before, after)| (before, Some(after)))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_numeric(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_padded(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && is_numeric(text)
}

/// What identifiers of a prerelease are compared by: numbers come before words, and are compared as numbers. Without
/// leading zeros the longer one is the larger, however large it is.
fn precedence(identifier: &str) -> (bool, usize, &str) {
    if is_numeric(identifier) { (false, identifier.len(), identifier) } else { (true, 0, identifier) }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let releases = other.is_prerelease().cmp(&self.is_prerelease());
        self.numbers.cmp(&other.numbers).then(releases).then_with(|| {
            let [ours, theirs] = [self, other].map(|version| version.prerelease.split('.').map(precedence));
            ours.cmp(theirs)
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if self.is_prerelease() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.build.is_empty() {
            write!(f, "+{}", self.build)?;
        }
        Ok(())
    }
}
