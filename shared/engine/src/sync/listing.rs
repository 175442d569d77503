//! The registry's listing: which tags there are, what it says of them, and what need not be asked because of that.

use std::collections::{BTreeMap, BTreeSet};

use moorage_domain::{
    Digest, FailureReason, TagName,
    failure::Failure,
    plan::{self, HeldTag, TagAction},
    referrers::is_attached_tag,
};
use moorage_upstream::{Registry, Resolved, TagPages, UpstreamError};

use crate::{error::WorkError, sync::invocation::Invocation};

impl Invocation<'_> {
    /// Reads the list of tags to its end, and what the registry says beside it, if that saves requests.
    pub(crate) async fn list(
        &self,
        registry: &Registry,
        first: Option<TagPages>,
        held: &BTreeMap<TagName, HeldTag>,
    ) -> Result<Vec<TagName>, WorkError> {
        let Some(first) = first else { return Ok(Vec::new()) };
        let config = &self.mirror.config;
        let selected = config.root_rule.explain(&held.keys().cloned().collect::<Vec<_>>()).map_err(|error| {
            let (reason, message) = (FailureReason::UnknownError, error.to_string());
            WorkError::Failed(Failure::new(reason, message))
        })?;
        let is_asked = |(tag, pattern): &(&TagName, Option<&str>)| {
            (pattern.is_some() || is_attached_tag(tag)) && !self.done.contains(tag) && self.known(held, tag).is_some()
        };
        let saved = held.keys().zip(selected).filter(is_asked).count();
        let is_as_before = |names: &BTreeSet<TagName>| {
            let is_known = |tag: &&TagName| held.contains_key(*tag) || self.skipped.contains_key(*tag);
            let new: Vec<_> = names.iter().filter(|tag| !is_known(tag)).cloned().collect();
            held.iter().all(|(tag, held)| names.contains(tag) || held.is_made_here())
                && !new.iter().any(is_attached_tag)
                && config.root_rule.select(new).is_ok_and(|new| new.is_empty())
        };
        let listing = registry.all_tags(first, saved, is_as_before).await?;
        self.said.get_or_init(|| listing.said);
        Ok(listing.tags)
    }

    /// What a tag points to: what is known, if the registry's listing says that it still does; else what the registry
    /// answers.
    pub(crate) async fn resolve(
        &self,
        registry: &Registry,
        held: &BTreeMap<TagName, HeldTag>,
        tag: &TagName,
    ) -> Result<Resolved, UpstreamError> {
        if let Some(known) = self.said(held, tag) {
            // A verification may have to come back for what another sync is done with.
            if self.verifies {
                self.knowledge.resolved(tag, known);
            }
            return Ok(Resolved { digest: known.clone(), manifest: None });
        }
        self.knowledge.resolve(registry, tag).await
    }

    /// What a tag points to, if that is known, and the registry's listing says that it still does.
    pub(crate) fn said<'a>(&'a self, held: &'a BTreeMap<TagName, HeldTag>, tag: &TagName) -> Option<&'a Digest> {
        let (known, said) = (self.known(held, tag)?, self.said.get()?);
        said.that(tag, known).then_some(known)
    }

    /// The digest at the registry with which there is nothing to do for a tag.
    pub(crate) fn known<'a>(&'a self, held: &'a BTreeMap<TagName, HeldTag>, tag: &TagName) -> Option<&'a Digest> {
        if let Some(skipped) = self.skipped.get(tag)
            && self.is_skipped(tag, &skipped.digest)
        {
            return Some(&skipped.digest);
        }
        let held = held.get(tag).filter(|held| held.generation == self.owner.generation)?;
        let digest = held.upstream();
        let action = plan::action(Some(held), digest, &self.mirror.config.architecture_filter);
        (action == TagAction::Keep).then_some(digest)
    }
}
