//! What tags pointed to before.

use serde::{Deserialize, Serialize};

use crate::{
    Digest, MediaType, TagName, Timestamp,
    plan::{Children, HeldTag},
};

/// A tag as it was for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastTag {
    /// Its name.
    pub tag: TagName,
    /// Its manifest.
    pub digest: Digest,
    /// Its manifest's media type.
    pub media_type: MediaType,
    /// Bytes of the manifest and everything below it.
    pub size: u64,
    /// When it first pointed to this digest.
    pub start: Timestamp,
    /// When it was moved or deleted.
    pub end: Timestamp,
    /// What it lists, if it is an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<Children>,
    /// Whether somebody had pointed it back to what it was before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reversion: bool,
}

impl PastTag {
    /// Whether it is what its tag was at a moment. A tag that changed in that second is taken as it was after it.
    pub fn is_of(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// What `held` was until `end`.
    pub fn ended(tag: &TagName, held: &HeldTag, end: Timestamp) -> Self {
        Self {
            tag: tag.clone(),
            digest: held.digest.clone(),
            media_type: held.media_type,
            size: held.size,
            start: held.first_seen,
            end,
            children: held.children(),
            reversion: held.reversion,
        }
    }
}
