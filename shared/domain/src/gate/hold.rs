//! What waits at the gate, and since when the registry has had it.

use serde::{Deserialize, Serialize};

use super::judgement::{Judgement, Question};
use crate::{Digest, TagName, Timestamp, selection::Platform};

/// When an image was first seen in the external repository, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// By a sync, or by whoever released it.
    pub first_seen: Timestamp,
    /// That somebody let it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// What was looked up of it, so that it need not be again.
    #[serde(flatten)]
    pub facts: Facts,
}

/// What is looked up of an image, where a selection has to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its bytes, with everything below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What it is for; nothing in it for what is for no platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Vec<Platform>>,
}

impl Facts {
    /// Both together: what one does not know, the other may.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { size: self.size.or(other.size), platforms: self.platforms.or(other.platforms) }
    }
}

/// Who let an image in before its time, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// When.
    pub at: Timestamp,
    /// Who: the name of a robot or a token.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// Whether its age is not asked for any more.
    pub age: bool,
    /// The tags that may move to it.
    pub tags: Vec<TagName>,
}

/// A tag that waits: it is not here yet, or still what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The tag.
    pub tag: TagName,
    /// What it points to at the registry.
    pub digest: Digest,
    /// What it is served as meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<Digest>,
    /// Since when.
    pub since: Timestamp,
    /// For what.
    #[serde(flatten)]
    pub judgement: Judgement,
}

impl Hold {
    /// Whether both say the same of the tag, whenever it began.
    pub fn is_same(&self, other: &Self) -> bool {
        Self { since: other.since, ..self.clone() } == *other
    }

    /// Whether somebody can let it in.
    pub fn can_be_released(&self) -> bool {
        matches!(self.judgement.question, Question::MinAge | Question::OnMove)
    }
}
