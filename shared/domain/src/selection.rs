//! Which of the tags that the root rule selects are mirrored: `selection`, a field of ours beside Quay's `root_rule`.
//!
//! Everything here is a function of the tags and of what is known of them. The steps, in their order:
//!
//! | | field | what it keeps |
//! |---|---|---|
//! | 1 | `root_rule` | what its globs match ([`crate::RootRule`]); the others are no candidates. Nor are tags that are made from digests |
//! | 2 | `include_regex` | tags that it matches whole |
//! | 3 | `version` | tags that are versions ([`Version`]), in one of `ranges` ([`Range`]) if there are any; prereleases only if a range names one, or with `prereleases`. `from` is a regular expression that matches the tag whole, and whose group `version` is the version; otherwise the tag is |
//! | 4 | `exclude` | what neither `globs` nor `regex` match whole |
//! | 5 | `sort`, `newest`, `group_by` | the `newest` places, in each group by itself |
//! | 6 | `always` | what its globs match, whatever steps 2 to 5 say |
//! | 7 | `platforms` | images for any of these, `os/arch` or `os/arch/variant` ([`Platform`]), and what is for no platform at all |
//! | 8 | | images that are old enough, if the mirror asks for an age |
//! | 9 | `max_size` | images of at most so many bytes |
//!
//! `sort` is `version` (by precedence, which is what is taken where only `newest` is given), `numeric`, `name` (byte by
//! byte) or `first_seen`; the highest is the newest. Numbers and names are those of the group `key` of `include_regex`, if
//! it has one, otherwise of the whole tag; so are versions without `from`. Whoever has no key has no place, and is not
//! among the newest. Equal keys are one place, and all of their tags are kept or none: `1.2`, `v1.2.0` and `1.2.0_3`, 7 and
//! 007. Only tags that are mature take places, or that have something older served while they wait: one that only waits
//! pushes out none that is served, and is itself out only if enough of the others are before it. Later steps free no
//! place: they look at the image, which costs requests, and so only at what is chosen.
//!
//! `mode` is `enforce`, if it is not said; with `observe` all pass, and it is told what would not have, with `off` nothing
//! is asked.
//!
//! What stands behind a hyphen is a prerelease, be it `1.25-rc.1` or `1.25-alpine`: variants are taken off by `from`, as
//! `(?<version>.*)-alpine` does. Sorting leaves out no prereleases; only `version` does.
//!
//! `group_by` names a group of `include_regex` or of `version.from`: with `v?(?<minor>\d+\.\d+)\.\d+` and `newest` 3, the
//! newest three of each minor are kept. Tags in whose match it has no part are a group, too.
//!
//! A step that does not know what it would have to know ends a tag as [`Verdict::Unknown`], which neither mirrors nor
//! deletes. The first step that does not let a tag pass is the one that is named.

mod comparator;
mod decide;
mod decision;
mod platform;
mod policy;
mod range;
mod ranking;
#[cfg(test)]
mod tests;
mod version;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use policy::Policy;

use crate::{FieldError, mode::Mode, sent::Sent};

pub use decision::{Candidate, Decision, Key, Maturity, Step, Verdict};
pub use platform::{Platform, PlatformError};
pub use range::{MAX_RANGE_LENGTH, Range, RangeError};
pub use version::Version;

/// A selection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Selection(Sent<Box<Policy>>);

/// What a selection has to know of images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// When they were first seen.
    pub first_seen: bool,
    /// What they are for.
    pub platforms: bool,
    /// How large they are.
    pub size: bool,
}

impl Selection {
    /// Parses what was sent.
    pub fn parse(given: Value) -> Result<Self, FieldError> {
        let sent = Sent::parse("selection", given, |policy: Policy| {
            let checked = policy.check_groups();
            checked.map_err(|error| FieldError::at("selection", "group_by", &error))?;
            Ok(Box::new(policy))
        })?;
        Ok(Self(sent))
    }

    fn policy(&self) -> &Policy {
        &self.0.parsed
    }

    /// Whether it counts.
    pub fn mode(&self) -> Mode {
        self.policy().mode.unwrap_or(Mode::Enforce)
    }

    /// How many places are mirrored of each group, if not all.
    pub fn newest(&self) -> Option<usize> {
        self.policy().newest.map(|newest| usize::try_from(newest.get()).unwrap_or(usize::MAX))
    }

    /// What has to be known of images before it can be said which tags are mirrored.
    pub fn needs(&self) -> Needs {
        Needs {
            first_seen: self.policy().sort == Some(policy::Sort::FirstSeen),
            platforms: self.policy().platforms.is_some(),
            size: self.policy().max_size.is_some(),
        }
    }

    /// What becomes of each candidate, in the order in which they are given; each tag is there once. The order has no part
    /// in what is decided.
    pub fn decide(&self, candidates: &[Candidate]) -> Vec<Decision> {
        decide::decide(self.policy(), candidates)
    }
}

impl TryFrom<Value> for Selection {
    type Error = FieldError;

    fn try_from(given: Value) -> Result<Self, FieldError> {
        Self::parse(given)
    }
}
