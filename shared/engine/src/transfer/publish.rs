//! The moment in which an image becomes visible: a tag's link, replaced only where nobody else has replaced it.

use moorage_domain::{FailureReason, Proven, TagName, failure::Failure, plan::HeldTag};
use moorage_storage::{Expected, Published, Storage};

use crate::error::WorkError;

/// How often a tag is looked at again that was not what it was believed to be. Who holds the lock is alone, so once is
/// enough; more are those who do not know yet that they have lost it.
const MAX_RACES: u32 = 4;

/// What a tag's link is believed to be.
#[derive(Debug, Clone)]
pub(crate) enum Believed {
    /// It is not there.
    Nothing,
    /// It has this entity tag.
    Link(String),
    /// It is there, and nobody has recorded its entity tag.
    Unknown,
}

impl Believed {
    /// By the record of the tag.
    pub(crate) fn of(held: Option<&HeldTag>) -> Self {
        match held {
            None => Self::Nothing,
            Some(held) => held.link.clone().map_or(Self::Unknown, Self::Link),
        }
    }
}

/// Points a tag to a manifest; returns the entity tag of its link. Where it is not what it was believed to be,
/// `may_go_on` is asked whether the writer still has the right to change it, before it is looked at again.
pub(crate) async fn publish(
    storage: &Storage,
    manifest: &Proven,
    tag: &TagName,
    believed: Believed,
    may_go_on: impl AsyncFn() -> Result<(), WorkError>,
) -> Result<String, WorkError> {
    let repository = &manifest.owner().repository;
    let mut etag = match believed {
        Believed::Nothing => None,
        Believed::Link(etag) => Some(etag),
        Believed::Unknown => storage.tag_etag(repository, tag).await?,
    };
    for _ in 0..MAX_RACES {
        let expected = etag.as_deref().map_or(Expected::Nothing, Expected::Link);
        if let Published::Done(etag) = storage.publish_tag(manifest, tag, expected).await? {
            return Ok(etag);
        }
        may_go_on().await?;
        etag = storage.tag_etag(repository, tag).await?;
    }
    let message = format!("somebody else changed the tag {tag} at the same time; it is tried again");
    Err(WorkError::Failed(Failure::new(FailureReason::StorageError, message)))
}
