//! Webhooks that come in: a registry, or whoever pushes to it, says that tags have moved.
//!
//! Nothing in a delivery is believed. It is a [`Hint`]: tags that the registry is to be asked for, by a sync that does
//! nothing else. Whoever knows a webhook's id ([`WebhookId`]) may send one, at most [`MAX_PER_MINUTE`] times in a minute.
//!
//! | sender | known by | tags |
//! |---|---|---|
//! | distribution, GitLab's registry | `events`, or its content type | `target.tag` of each `push` |
//! | Docker Hub | `push_data` | its `tag` |
//! | Quay, Moorage | `docker_url` | `updated_tags`; `changed_tags` |
//! | Harbor | `event_data`, or a `CloudEvents` envelope | `resources[].tag` of what was pushed |
//! | GitHub | `registry_package`, `package` | `container_metadata.tag` of what was published or updated |
//! | ECR, by EventBridge | `detail-type` | `image-tag` of a `PUSH` |
//! | Azure's registry | `action` | `target.tag` of a `push` |
//! | anybody | `tags` | a list of them; and `repository`, if there is one |

mod address;
mod delivery;
mod ecr;
mod id;
mod rate;
mod retry;
mod sender;
mod signature;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use address::{Address, Delivery, DeliveryOutcome, PAUSE, Webhook};
pub use ecr::{EcrEvent, EcrRepository};
pub use id::{InvalidId, WebhookId};
pub use rate::{MAX_PER_MINUTE, Rate};
pub use retry::{Retry, is_passing};
pub use sender::Sender;
pub use signature::is_signed;

use crate::{
    ExternalReference, TagName, Timestamp,
    mirror::{MirrorConfig, RepositoryState},
    status::{SyncState, SyncStatus},
};

/// The largest body, in bytes: GitHub's are some 20 kB, and a registry's envelope holds few events.
pub const MAX_BODY: usize = 256 * 1024;
/// The most tags of a hint. To ask for more of them costs as much as an ordinary sync, which lists them first.
pub const MAX_TAGS: usize = 300;
/// The longest name of a repository, in bytes: with its host.
const MAX_REPOSITORY: usize = 512;

/// What a delivery says, which may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// The repository as it was sent, with or without a host; nothing if it was not, or if there were several.
    #[serde(default)]
    pub repository: Option<String>,
    /// The tags that may have moved.
    pub tags: HintedTags,
}

/// The tags of a hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HintedTags {
    /// Too many to be named.
    All,
    /// These, each once, in the order of their names: [`MAX_TAGS`] at most, and perhaps none.
    Only(Vec<TagName>),
}

/// Why a delivery is no hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It is larger than is read.
    #[error("the body is larger than {MAX_BODY} bytes")]
    Large,
    /// It is a form, as GitHub sends unless it is told otherwise.
    #[error("the body is a form: let the sender use the content type application/json")]
    Form,
    /// It is no JSON.
    #[error("the body is no JSON")]
    Json,
    /// It is of no sender that is known.
    #[error(
        "the body is of no registry that is known here; {{\"tags\": [\"v1\"]}} is always understood, with the tags that \
         have moved"
    )]
    Unknown,
    /// It begins as a sender's and is not like it.
    #[error("the body seems to be from {0}, and is not as that sends it")]
    Broken(Sender),
}

impl Hint {
    /// Reads a delivery: what it says that may be of what a mirror mirrors; nothing if all of it is of other repositories. One
    /// that is of no tag, as of a deletion, is a hint at none.
    pub fn read(
        content_type: Option<&str>,
        body: &[u8],
        reference: &ExternalReference,
    ) -> Result<Option<Self>, WebhookError> {
        if body.len() > MAX_BODY {
            return Err(WebhookError::Large);
        }
        let content_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if content_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(WebhookError::Form);
        }
        let value = serde_json::from_slice(body).map_err(|_| WebhookError::Json)?;
        let sender = Sender::of(content_type, &value).ok_or(WebhookError::Unknown)?;
        let mut pushed = delivery::read(sender, value).ok_or(WebhookError::Broken(sender))?;
        let is_too_long = |repository: &String| repository.len() > MAX_REPOSITORY;
        if pushed.iter().filter_map(|(repository, _)| repository.as_ref()).any(is_too_long) {
            return Err(WebhookError::Broken(sender));
        }
        let is_empty = pushed.is_empty();
        pushed.retain(|(repository, _)| repository.as_deref().is_none_or(|sent| may_be(sent, reference)));
        Ok(Some(Self::of(&pushed)).filter(|_| is_empty || !pushed.is_empty()))
    }

    /// What there is to ask for after this was pushed.
    fn of(pushed: &[(Option<String>, Vec<String>)]) -> Self {
        let repositories: BTreeSet<_> = pushed.iter().filter_map(|(repository, _)| repository.as_deref()).collect();
        let repository = repositories.first().filter(|_| repositories.len() == 1).map(|&one| one.to_owned());
        // What is no tag, as a digest in a tag's place, cannot be asked for.
        let tags = pushed.iter().flat_map(|(_, tags)| tags).filter_map(|tag| tag.parse().ok()).collect();
        Self { repository, tags: HintedTags::of(tags) }
    }

    /// Whether there is nothing to ask for.
    pub fn is_empty(&self) -> bool {
        matches!(&self.tags, HintedTags::Only(tags) if tags.is_empty())
    }

    /// Why it leads to nothing, if it does, at a mirror and what its repository is for.
    pub fn ignored(
        &self,
        config: &MirrorConfig,
        state: &SyncState,
        repository: Option<RepositoryState>,
        now: Timestamp,
    ) -> Option<&'static str> {
        if self.is_empty() {
            Some("It names no tag that was pushed.")
        } else if !repository.is_some_and(RepositoryState::is_mirror) {
            Some("The repository is not in the state MIRROR.")
        } else if !config.is_enabled {
            Some("The mirror is disabled.")
        } else if state.sync_status == SyncStatus::Cancel {
            Some("The mirror was cancelled, and waits for Sync Now.")
        } else if state.is_paused(now) {
            Some("The mirror is paused, because its tags were turned back.")
        } else {
            None
        }
    }

    /// Both hints, if they come shortly after one another.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let is_same = self.repository == other.repository;
        let tags = match (self.tags, other.tags) {
            (HintedTags::Only(one), HintedTags::Only(other)) => HintedTags::of(one.into_iter().chain(other).collect()),
            _ => HintedTags::All,
        };
        Self { repository: self.repository.filter(|_| is_same), tags }
    }
}

/// Whether a repository as it was sent may be the one that a mirror mirrors: a registry that tells of everything tells of other
/// repositories, too. The host is not looked at, because registries are known by several names, nor is the case, because GitHub
/// sends an owner's name as that writes it.
fn may_be(sent: &str, reference: &ExternalReference) -> bool {
    let path = reference.repository();
    let Some(start) = sent.len().checked_sub(path.len()) else { return false };
    let (Some(host), Some(end)) = (sent.get(..start), sent.get(start..)) else { return false };
    end.eq_ignore_ascii_case(&path) && (host.is_empty() || host.strip_suffix('/').is_some_and(is_host))
}

/// Whether the first part of a repository's name is a host, as clients tell it from a namespace.
fn is_host(part: &str) -> bool {
    !part.contains('/') && (part.contains(['.', ':']) || part == "localhost")
}

impl HintedTags {
    fn of(tags: BTreeSet<TagName>) -> Self {
        if tags.len() > MAX_TAGS { Self::All } else { Self::Only(tags.into_iter().collect()) }
    }
}

#[cfg(test)]
mod tests;
