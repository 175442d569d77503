//! What is known of a tag, and what is decided about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{platform::Platform, version::Version};
use crate::{TagName, Timestamp};

/// A tag that the root rule selects, with what is known of the image that it is at the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub tag: TagName,
    /// When its image was first seen in the external repository, if that is known.
    pub first_seen: Option<Timestamp>,
    /// Whether its image is old enough to be served.
    pub maturity: Maturity,
    /// Whether an older image is served under its name as long as this one has to wait. Then the tag keeps its place among
    /// the newest: otherwise each push to a tag would bring back what it had pushed out, until it is mature again.
    pub is_served: bool,
    /// How many bytes its image has, if that is known.
    pub size: Option<u64>,
    /// The platforms of its image, if they are known: none for what is for no platform, as a chart. What is attached to
    /// an image, as attestations in its index are, is no part of it.
    pub platforms: Option<Vec<Platform>>,
}

impl Candidate {
    /// Whether it takes a place among the newest. One that only waits pushes out none that is served.
    pub(super) fn counts(&self) -> bool {
        self.is_served || self.maturity == Maturity::Mature
    }
}

/// Whether an image is old enough to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maturity {
    /// It is, or nobody asks for an age.
    Mature,
    /// It will be.
    Waiting {
        /// From then on it is.
        until: Timestamp,
    },
    /// When it was first seen is not known.
    Unknown,
}

/// The steps of a selection after the root rule, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Tags that are made from digests, as those of signatures: they follow their images, and are no candidates.
    Derived,
    /// `include_regex`.
    IncludeRegex,
    /// `version`.
    Version,
    /// `exclude`.
    Exclude,
    /// `newest`, in the order of `sort` and the groups of `group_by`.
    Newest,
    /// `platforms`.
    Platforms,
    /// The age that images must have before they are served.
    MinAge,
    /// `max_size`.
    MaxSize,
}

impl Step {
    /// The field of the mirror that it is of.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Derived => "its name is made from a digest, which",
            Self::IncludeRegex => "include_regex",
            Self::Version => "version",
            Self::Exclude => "exclude",
            Self::Newest => "newest",
            Self::Platforms => "platforms",
            Self::MinAge => "min_age",
            Self::MaxSize => "max_size",
        }
    }

    /// What it has to know of a tag that is not said by its name.
    pub const fn wants(self) -> &'static str {
        match self {
            Self::Platforms => "what its image is for",
            Self::MaxSize => "how large its image is",
            _ => "since when the registry has its image",
        }
    }

    /// Whether `always` keeps tags from it.
    pub(super) fn spares_always(self) -> bool {
        matches!(self, Self::IncludeRegex | Self::Version | Self::Exclude | Self::Newest)
    }
}

/// What becomes of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is mirrored.
    Kept,
    /// It is deselected.
    Removed {
        /// By which step.
        step: Step,
    },
    /// It will be mirrored. What is served under its name stays until then.
    Held {
        /// When.
        until: Timestamp,
    },
    /// A step cannot say, for want of a fact. What is not known does not pass, and takes nothing away: what is served
    /// under its name stays, as if it were held.
    Unknown {
        /// Which step.
        step: Step,
    },
}

/// What tags are compared by. Within one selection, all are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A version.
    Version(Version),
    /// A number.
    Number(u64),
    /// A text, byte by byte.
    Name(String),
    /// A moment.
    FirstSeen(Timestamp),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => version.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::FirstSeen(moment) => moment.fmt(f),
        }
    }
}

/// What is decided about a candidate, and what it was compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Which tag.
    pub tag: TagName,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What was compared last: that of `sort`, or the version where the tag did not come so far, or is not sorted.
    pub key: Option<Key>,
    /// The group that it was ranked in; `None` also for tags whose names have nothing of it.
    pub group: Option<String>,
    /// Its place in its group, where 1 is the newest; waiting tags have the place that they would have now.
    pub rank: Option<usize>,
    /// The step that would have ended it, but for `always`.
    pub spared: Option<Step>,
    /// What would become of it, if the selection is only observed and it does not pass.
    pub observed: Option<Verdict>,
}
