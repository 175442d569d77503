//! The registry's listing: which tags there are, what it says of them, and what need not be asked because of that.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use moorage_domain::{
    Digest, FailureReason, NoListing, RateLimit, TagName,
    failure::Failure,
    plan::{self, HeldTag, TagAction},
    referrers::is_attached_tag,
};
use moorage_upstream::{Registry, Resolved, Said, TagPages, UpstreamError};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    error::WorkError,
    sync::{invocation::Invocation, source},
};

/// Tags that are asked for without waiting for the list of tags: more than at once, so that the next have begun while the
/// last of the first are on their way, and no more than may be in vain, where the list says digests by now.
const AHEAD: usize = 100;
/// How many of them at once: nearly all of the places, of which the list has one.
const AT_ONCE: usize = 60;
/// How long others of them begin at least when it has come.
const LEAST: Duration = Duration::from_millis(200);
/// How long those that have begun may take after that. It is far from what an answer to HEAD takes; and one that never comes
/// keeps nothing else waiting for longer.
const PATIENCE: Duration = Duration::from_secs(5);

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
        let saved = self.likely(held)?.len();
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

    /// The held tags that are to be asked for, and have most likely not changed.
    fn likely<'t>(&self, held: &'t BTreeMap<TagName, HeldTag>) -> Result<Vec<&'t TagName>, WorkError> {
        let names: Vec<_> = held.keys().cloned().collect();
        let selected = self.mirror.config.root_rule.explain(&names).map_err(|error| {
            let (reason, message) = (FailureReason::UnknownError, error.to_string());
            WorkError::Failed(Failure::new(reason, message))
        })?;
        let is_asked = |(tag, pattern): &(&TagName, Option<&str>)| {
            (pattern.is_some() || is_attached_tag(tag)) && !self.done.contains(tag) && self.known(held, tag).is_some()
        };
        Ok(held.keys().zip(selected).filter(is_asked).map(|(tag, _)| tag).collect())
    }

    /// Asks for some of the tags that are to be asked for without waiting for the list of them. What they say is known
    /// then; where they say nothing, they are asked for again. Nothing else waits for long: once the list is there, which is
    /// told, others begin for as long again as it took, and all end when it has failed. What is under way then is given time,
    /// or a registry that is slow by HEAD would be asked twice in every sync.
    ///
    /// Only a registry is asked so that needs no login, or each of them would be refused before it is known how to log in;
    /// none of which it is known that it limits requests; and only after a sync that ended well.
    pub(crate) async fn look_ahead(
        &self,
        registry: &Registry,
        held: &BTreeMap<TagName, HeldTag>,
        listed: oneshot::Receiver<Option<Duration>>,
    ) -> Result<(), WorkError> {
        let has_failed = self.mirror.state.last_failure.is_some();
        let is_limited = self.meter.limit() != RateLimit::default();
        if self.verifies || has_failed || is_limited || !source::heads(self.mirror) {
            return Ok(());
        }
        let look = async |tag| {
            if let Some(digest) = registry.glance(tag).await {
                self.knowledge.resolved(tag, &digest);
            }
        };
        let end = |as_long: Duration| Instant::now() + as_long.max(LEAST);
        let end = listed.map(|told| told.ok().flatten().map(end)).shared();
        let enough = async {
            if let Some(end) = end.clone().await {
                tokio::time::sleep_until(end).await;
            }
        };
        let over = async {
            if let Some(end) = end.clone().await {
                tokio::time::sleep_until(end + PATIENCE).await;
            }
        };
        let likely = stream::iter(self.likely(held)?.into_iter().take(AHEAD));
        tokio::select! {
            () = likely.take_until(enough).for_each_concurrent(AT_ONCE, look) => {}
            () = over => {}
        }
        Ok(())
    }

    /// That the registry has no listing which says digests, as far as the next sync is to believe that: this one may have seen
    /// that it has one by now.
    pub(crate) async fn no_listing(&self, registry: &Registry) -> Option<NoListing> {
        if self.said.get().is_some_and(Said::anything) {
            return None;
        }
        source::no_listing(self.mirror, registry).await
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
