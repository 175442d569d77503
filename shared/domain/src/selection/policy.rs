//! What a selection asks for, parsed.

use std::num::{NonZeroU32, NonZeroU64};

use serde::Deserialize;

use super::{platform::Platform, range::Range};
use crate::{
    TagName,
    lists::{GlobList, Listed},
    mode::Mode,
    object::Object,
    pattern::Pattern,
};

/// The most ranges. With [`super::range::MAX_RANGE_LENGTH`] they bound how much a version is compared with.
const MAX_RANGES: usize = 32;
/// The most platforms: twice as many as Go knows of Linux.
const MAX_PLATFORMS: usize = 32;
/// The group of `version.from` that is the version.
const VERSION_GROUP: &str = "version";
/// The group of `include_regex` that is compared in place of the whole tag.
const KEY_GROUP: &str = "key";

/// The fields of a selection; [`super::Selection`] says what they mean.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    pub(super) mode: Option<Mode>,
    pub(super) include_regex: Option<Pattern>,
    pub(super) version: Option<Object<VersionRule>>,
    pub(super) exclude: Option<Object<Exclusion>>,
    pub(super) sort: Option<Sort>,
    pub(super) newest: Option<NonZeroU32>,
    group_by: Option<String>,
    pub(super) always: Option<GlobList>,
    pub(super) platforms: Option<Listed<Platform, MAX_PLATFORMS>>,
    pub(super) max_size: Option<NonZeroU64>,
}

/// Which versions are taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionRule {
    pub(super) from: Option<VersionPattern>,
    pub(super) ranges: Option<Listed<Range, MAX_RANGES>>,
    pub(super) prereleases: Option<bool>,
}

/// What is left out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exclusion {
    globs: Option<GlobList>,
    regex: Option<Pattern>,
}

/// What tags are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sort {
    Version,
    Numeric,
    Name,
    FirstSeen,
}

/// A pattern with a group that is the version.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Pattern")]
pub(super) struct VersionPattern(pub(super) Pattern);

/// Why a value is not what its field takes; which field that is, is not said here.
#[derive(Debug, thiserror::Error)]
pub(super) enum PolicyError {
    #[error("has no group of that name: the version is what (?<{VERSION_GROUP}>…) matches")]
    NoVersion,
    #[error("is no group of `include_regex` or `version.from`: write (?<{0}>…) in one of them")]
    NoGroup(String),
    #[error("is a group of both `include_regex` and `version.from`")]
    TwoGroups,
}

impl Policy {
    /// Whether what `group_by` names is there, once.
    pub(super) fn check_groups(&self) -> Result<(), PolicyError> {
        let Some(name) = &self.group_by else { return Ok(()) };
        match self.patterns().filter(|pattern| pattern.has_group(name)).count() {
            0 => Err(PolicyError::NoGroup(name.clone())),
            1 => Ok(()),
            _ => Err(PolicyError::TwoGroups),
        }
    }

    /// The group that a tag is of; `None` for those whose names have nothing of it.
    pub(super) fn group<'a>(&self, tag: &'a TagName) -> Option<&'a str> {
        let name = self.group_by.as_deref()?;
        self.patterns().find(|pattern| pattern.has_group(name))?.group(name, tag)
    }

    /// The text of a tag that is compared: all of it, unless `include_regex` says which part.
    pub(super) fn key_text<'a>(&self, tag: &'a TagName) -> Option<&'a str> {
        match self.include_regex.as_ref().filter(|pattern| pattern.has_group(KEY_GROUP)) {
            Some(pattern) => pattern.group(KEY_GROUP, tag),
            None => Some(tag.as_str()),
        }
    }

    /// The text of a tag that is its version, if it has one.
    pub(super) fn version_text<'a>(&self, tag: &'a TagName) -> Option<&'a str> {
        match self.version.as_ref().and_then(|Object(rule)| rule.from.as_ref()) {
            Some(VersionPattern(pattern)) => pattern.group(VERSION_GROUP, tag),
            None => self.key_text(tag),
        }
    }

    /// Those whose groups may be named.
    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let from =
            self.version.as_ref().and_then(|Object(rule)| rule.from.as_ref()).map(|VersionPattern(pattern)| pattern);
        self.include_regex.iter().chain(from)
    }
}

impl Exclusion {
    /// Whether it leaves out a tag.
    pub(super) fn leaves_out(&self, tag: &TagName) -> bool {
        self.globs.as_ref().is_some_and(|globs| globs.is_match(tag))
            || self.regex.as_ref().is_some_and(|regex| regex.is_match(tag.as_str()))
    }
}

impl TryFrom<Pattern> for VersionPattern {
    type Error = PolicyError;

    fn try_from(pattern: Pattern) -> Result<Self, PolicyError> {
        if pattern.has_group(VERSION_GROUP) { Ok(Self(pattern)) } else { Err(PolicyError::NoVersion) }
    }
}
