//! What is asked of registries.

use serde::{Deserialize, Serialize};

use crate::Fallbacks;

/// What a run asked of its registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Upstream {
    /// Requests, redirects not counted, and each once, however often it was sent.
    pub requests: u64,
    /// How often requests were sent again, on a new connection or without a login, too: with `requests`, all that the
    /// registry saw but what it redirected.
    pub retries: u64,
    /// Manifests that were fetched: what Docker Hub counts as pulls.
    pub manifest_gets: u64,
    /// Bytes of bodies that were read.
    pub bytes_read: u64,
    /// Milliseconds of the run in which requests waited to be sent, or sent again: of those that waited at once, it counts
    /// once. Without the time between two invocations, in which nothing runs.
    pub waited_ms: u64,
    /// How many entries of the list of tags are no tags, and were left: where it was read several times, the most.
    pub invalid_tags: u64,
    /// What the registry refused of what only saves time.
    pub fallbacks: Fallbacks,
}

impl std::ops::Add for Upstream {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            retries: self.retries.saturating_add(other.retries),
            manifest_gets: self.manifest_gets.saturating_add(other.manifest_gets),
            bytes_read: self.bytes_read.saturating_add(other.bytes_read),
            waited_ms: self.waited_ms.saturating_add(other.waited_ms),
            invalid_tags: self.invalid_tags.max(other.invalid_tags),
            fallbacks: self.fallbacks.union(other.fallbacks),
        }
    }
}
