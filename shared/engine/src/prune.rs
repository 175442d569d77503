//! The last step: what becomes of the held tags that are not selected, and of those that this run did not see.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    TagName, Timestamp, Warning,
    plan::{self, HeldTag, Prune},
    referrers::is_attached_tag,
    run::Outcome,
};
use moorage_upstream::{Registry, UpstreamError};

use crate::{error::WorkError, steps::Steps, tag_set::TagSet};

/// Tags whose end is confirmed at once.
const HEADS_IN_FLIGHT: usize = 32;
/// Tags that are deleted before the claim is renewed again: they take a second or two.
const RENEWAL: usize = 25;
/// Items of the table that are written at once.
const WRITES_IN_FLIGHT: usize = 16;

impl Steps<'_> {
    /// Deletes what is held and not selected, as far as that is certain and not too much. Returns what somebody should
    /// look at.
    pub(crate) async fn prune(
        &self,
        registry: &Registry,
        held: &BTreeMap<TagName, HeldTag>,
        listed: &BTreeSet<TagName>,
        selected: &[TagName],
    ) -> Result<Option<Warning>, WorkError> {
        let (deleted, warning) = match plan::prune(held, listed.len(), selected, self.mirror.config.deletion_limit) {
            Prune::Delete(tags) => {
                let (gone, there) = self.confirm(registry, listed, tags).await?;
                self.hold(&there).await;
                let tags = there.len() as u64;
                (gone, (tags > 0).then_some(Warning::ListIncomplete { tags }))
            }
            Prune::Hold { tags, limit } => {
                self.hold(&tags).await;
                let (tags, limit) = (tags.len() as u64, limit as u64);
                (Vec::new(), Some(Warning::DeletionsHeld { tags, limit }))
            }
        };
        self.delete(&deleted).await?;
        let (_, failed) = self.progress.failures();
        self.record_missed(held, selected, &deleted, &failed).await?;
        Ok(warning)
    }

    async fn hold(&self, tags: &[TagName]) {
        for tag in tags {
            self.progress.room().await;
            self.progress.outcome(tag, Outcome::Held, None);
        }
    }

    /// Separates tags that are gone from those that the registry still has, or may have: a list may lack what was moved
    /// from page to page while it was read, and some registries' lists lag behind. Those that are listed and only not
    /// selected are as good as gone, and attachments go with their images.
    async fn confirm(
        &self,
        registry: &Registry,
        listed: &BTreeSet<TagName>,
        tags: Vec<TagName>,
    ) -> Result<(Vec<TagName>, Vec<TagName>), WorkError> {
        let (unlisted, mut gone): (Vec<_>, Vec<_>) =
            tags.into_iter().partition(|tag| !listed.contains(tag) && !is_attached_tag(tag));
        let ask = async |tag| (registry.resolve(&tag).await, tag);
        let mut answers = stream::iter(unlisted).map(ask).buffer_unordered(HEADS_IN_FLIGHT);
        let mut there = Vec::new();
        while let Some((answer, tag)) = answers.next().await {
            match answer {
                Err(UpstreamError::NotFound(_)) => gone.push(tag),
                Err(UpstreamError::RateLimited { until }) => return Err(WorkError::Limited(until)),
                Ok(_) | Err(_) => there.push(tag),
            }
        }
        gone.sort_unstable();
        there.sort_unstable();
        Ok((gone, there))
    }

    /// Deletes tags: from the bucket first, so that a killed sync leaves a tag that the next one deletes again.
    async fn delete(&self, tags: &[TagName]) -> Result<(), WorkError> {
        for (number, tag) in tags.iter().enumerate() {
            self.progress.room().await;
            // Somebody else may have published what this run takes for obsolete, once its claim is lost.
            if number % RENEWAL == 0 {
                self.claim.renew().await?;
            }
            self.claim.check()?;
            self.engine.storage.delete_tag(&self.mirror.config.repository, tag).await?;
            self.claim.tags.delete(tag).await?;
            self.progress.outcome(tag, Outcome::Pruned, None);
        }
        Ok(())
    }

    /// Records of the tags that stay although this run did not see them when they were last seen. Those that an earlier
    /// run missed, too, have it.
    async fn record_missed(
        &self,
        held: &BTreeMap<TagName, HeldTag>,
        selected: &[TagName],
        deleted: &[TagName],
        failed: &TagSet,
    ) -> Result<(), WorkError> {
        let [selected, deleted] = [selected, deleted].map(|tags| tags.iter().collect::<BTreeSet<_>>());
        let missed = |tag: &TagName| !deleted.contains(tag) && (!selected.contains(tag) || failed.contains(tag));
        let missed = held.iter().filter(|(tag, held)| held.last_seen.is_none() && missed(tag));
        let last_complete = self.mirror.state.last_complete;
        self.set_seen(missed.map(|(tag, held)| (tag, Some(held.seen(last_complete))))).await
    }

    /// Records when tags were last seen, or that the last complete sync saw them.
    pub(crate) async fn set_seen<'t>(
        &self,
        tags: impl IntoIterator<Item = (&'t TagName, Option<Timestamp>)>,
    ) -> Result<(), WorkError> {
        let set = async |(tag, seen)| self.claim.tags.set_seen(tag, seen).await;
        stream::iter(tags).map(set).buffer_unordered(WRITES_IN_FLIGHT).try_collect::<()>().await?;
        Ok(())
    }
}
