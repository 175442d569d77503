//! The steps of one sync, in their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use moorage_domain::{
    Digest, FailureReason, TagName, Timestamp, Warning,
    failure::Failure,
    plan::{self, HeldTag, Prune, TagAction},
    referrers::is_attached_tag,
    run::{Outcome, RunId},
};
use moorage_state::{Mirror, SkippedTag};
use moorage_upstream::Registry;

use crate::{
    blobs::{Blobs, Flow},
    budget::Budget,
    claim::Claim,
    copy::Copier,
    error::WorkError,
    progress::Progress,
    referrers::Attached,
    source,
    sync::Engine,
};

/// Tags whose digests are asked for at once. A HEAD is cheap for both sides, and 32 hide the latency of a distant one.
const HEADS_IN_FLIGHT: usize = 32;
/// Tags that are copied at once.
const TAGS_IN_FLIGHT: usize = 8;
/// Items of the table that are written at once.
const WRITES_IN_FLIGHT: usize = 16;

/// Everything that the steps need.
pub(crate) struct Steps<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) mirror: &'a Mirror,
    pub(crate) claim: &'a Arc<Claim>,
    pub(crate) progress: &'a Arc<Progress>,
    pub(crate) budget: Budget,
    /// The run.
    pub(crate) run: RunId,
    /// When it began.
    pub(crate) started_at: Timestamp,
    /// The tags that earlier invocations of the run have dealt with.
    pub(crate) done: BTreeSet<TagName>,
    /// Those of them that were copied.
    pub(crate) copied: BTreeSet<TagName>,
    /// The tags that the architecture filter has left out before.
    pub(crate) skipped: BTreeMap<TagName, SkippedTag>,
}

/// What the steps came to.
pub(crate) enum Work {
    /// Every selected tag has an outcome, and the others are dealt with.
    Done { selected: Vec<TagName>, warning: Option<Warning> },
    /// The sync failed as a whole.
    Failed(Failure),
    /// The claim was lost.
    Stopped,
    /// The invocation's time is up.
    Suspended,
}

impl Steps<'_> {
    /// Runs all steps.
    pub(crate) async fn all(&self) -> Work {
        match self.try_all().await {
            Ok(work) => work,
            Err(WorkError::Failed(failure)) => Work::Failed(failure),
            Err(WorkError::ClaimLost) => Work::Stopped,
            Err(WorkError::Suspended) => Work::Suspended,
        }
    }

    async fn try_all(&self) -> Result<Work, WorkError> {
        let (engine, config) = (self.engine, &self.mirror.config);
        let registry = source::open(engine, self.mirror).await?;
        let listed = registry.tags().await?.tags;
        let attachments: BTreeSet<_> = listed.iter().filter(|tag| is_attached_tag(tag)).cloned().collect();
        let mut held = engine.table.tags(&config.repository).await?;
        let count = listed.len();
        let mut selected = config.root_rule.select(listed).map_err(|error| {
            let (reason, message) = (FailureReason::UnknownError, error.to_string());
            WorkError::Failed(Failure { reason, message })
        })?;
        self.progress.selected(selected.len());
        let open: Vec<_> = selected.iter().filter(|tag| !self.done.contains(tag)).collect();
        let wanted = self.plan(&registry, &held, &open).await?;
        let blobs = Blobs {
            registry: registry.clone(),
            storage: engine.storage.clone(),
            table: engine.table.clone(),
            repository: config.repository.clone(),
            run: self.run,
            claim: Arc::clone(self.claim),
            progress: Arc::clone(self.progress),
            budget: self.budget,
            flow: Flow::new(),
        };
        let copier =
            Copier::new(blobs, Duration::from_secs(config.skopeo_timeout_interval), config.architecture_filter.clone());
        if !self.copy(&copier, wanted).await? {
            return Ok(Work::Suspended);
        }
        copier.update(&mut held);
        let chosen: BTreeSet<_> = selected.iter().cloned().collect();
        let refresh = self.referrers_due().await?;
        let attached = Attached {
            steps: self,
            registry: &registry,
            copier: &copier,
            listed: &attachments,
            selected: &chosen,
            refresh,
        };
        let Some(attached) = attached.mirror(&mut held).await? else { return Ok(Work::Suspended) };
        copier.finish().await?;
        selected.extend(attached);
        for tag in self.skipped.keys().filter(|tag| !chosen.contains(tag)) {
            engine.table.delete_skipped(&config.repository, tag).await?;
        }
        let (deleted, warning) = match plan::prune(&held, count, &selected, config.deletion_limit) {
            Prune::Delete(tags) => (tags, None),
            Prune::Hold { tags, limit } => {
                for tag in &tags {
                    self.progress.outcome(tag, Outcome::Held, None);
                }
                (Vec::new(), Some(Warning::DeletionsHeld { tags: tags.len() as u64, limit: limit as u64 }))
            }
        };
        self.prune(&deleted).await?;
        let (_, failed) = self.progress.failures();
        self.record_missed(&held, &selected, &deleted, &failed).await?;
        if refresh {
            engine.table.put_referrers_checked(&config.repository, self.started_at).await?;
        }
        Ok(Work::Done { selected, warning })
    }

    /// Asks the registry for the digests of the tags that are still open. Returns the tags to copy; the others have an outcome.
    pub(crate) async fn plan(
        &self,
        registry: &Registry,
        held: &BTreeMap<TagName, HeldTag>,
        open: &[&TagName],
    ) -> Result<Vec<(TagName, Digest)>, WorkError> {
        let resolve = async |tag| (tag, registry.resolve(tag).await);
        let mut resolved = stream::iter(open.iter().copied()).map(resolve).buffer_unordered(HEADS_IN_FLIGHT);
        let (mut wanted, mut seen_again) = (Vec::new(), Vec::new());
        let architectures = &self.mirror.config.architecture_filter;
        while let Some((tag, resolved)) = resolved.next().await {
            match resolved {
                Ok(upstream) if self.is_skipped(tag, &upstream.digest) => {
                    self.progress.outcome(tag, Outcome::Skipped, None);
                }
                Ok(upstream) => match plan::action(held.get(tag), &upstream.digest, architectures) {
                    TagAction::Keep => {
                        self.progress.outcome(tag, Outcome::Unchanged, None);
                        if held.get(tag).is_some_and(|held| held.last_seen.is_some()) {
                            seen_again.push((tag, None));
                        }
                    }
                    TagAction::Copy => wanted.push((tag.clone(), upstream.digest)),
                },
                Err(error) => self.failed(tag, error.into())?,
            }
        }
        self.set_seen(seen_again).await?;
        wanted.sort_unstable();
        Ok(wanted)
    }

    /// Records of the tags that stay although this run did not see them when they were last seen. Those that an earlier
    /// run missed, too, have it.
    async fn record_missed(
        &self,
        held: &BTreeMap<TagName, HeldTag>,
        selected: &[TagName],
        deleted: &[TagName],
        failed: &[TagName],
    ) -> Result<(), WorkError> {
        let [selected, deleted, failed] = [selected, deleted, failed].map(|tags| tags.iter().collect::<BTreeSet<_>>());
        let missed = |tag: &TagName| !deleted.contains(tag) && (!selected.contains(tag) || failed.contains(tag));
        let missed = held.iter().filter(|(tag, held)| held.last_seen.is_none() && missed(tag));
        let last_complete = self.mirror.state.last_complete;
        self.set_seen(missed.map(|(tag, held)| (tag, Some(held.seen(last_complete))))).await
    }

    async fn set_seen<'t>(
        &self,
        tags: impl IntoIterator<Item = (&'t TagName, Option<Timestamp>)>,
    ) -> Result<(), WorkError> {
        let (table, repository) = (&self.engine.table, &self.mirror.config.repository);
        let set = async |(tag, seen)| table.set_tag_seen(repository, tag, seen).await;
        stream::iter(tags).map(set).buffer_unordered(WRITES_IN_FLIGHT).try_collect::<()>().await?;
        Ok(())
    }

    /// Copies tags, some at a time, as long as there is time to begin another. Tells whether all were tried.
    pub(crate) async fn copy(&self, copier: &Copier, wanted: Vec<(TagName, Digest)>) -> Result<bool, WorkError> {
        let copy = async |(tag, digest): (TagName, Digest)| {
            let result = copier.tag(&tag, &digest, None).await;
            (tag, digest, result)
        };
        let (all, mut tried) = (wanted.len(), 0);
        let begun = stream::iter(wanted).take_while(|_| future::ready(self.budget.may_begin()));
        let mut results = begun.map(copy).buffer_unordered(TAGS_IN_FLIGHT);
        while let Some((tag, digest, result)) = results.next().await {
            if matches!(result, Err(WorkError::Suspended)) {
                continue;
            }
            tried += 1;
            match result {
                Ok(Outcome::Skipped) => self.progress.outcome(&tag, Outcome::Skipped, None),
                Ok(outcome) => self.progress.outcome(&tag, outcome, Some(digest)),
                Err(error) => self.failed(&tag, error)?,
            }
        }
        Ok(tried == all)
    }

    /// Whether the architecture filter, as it is, has left out this very image before.
    fn is_skipped(&self, tag: &TagName, upstream: &Digest) -> bool {
        let filter = &self.mirror.config.architecture_filter;
        self.skipped.get(tag).is_some_and(|skipped| skipped.digest == *upstream && skipped.architectures == *filter)
    }

    /// Records a tag's failure; passes on what ends the whole sync: a lost claim, and a registry that asks to be left
    /// alone, which asking for the other tags would not make any calmer.
    pub(crate) fn failed(&self, tag: &TagName, error: WorkError) -> Result<(), WorkError> {
        match error {
            WorkError::Failed(failure) if failure.reason != FailureReason::RateLimited => {
                self.progress.failure(tag, failure);
                Ok(())
            }
            error => Err(error),
        }
    }

    /// Deletes tags: from the bucket first, so that a killed sync leaves a tag that the next one deletes again.
    async fn prune(&self, tags: &[TagName]) -> Result<(), WorkError> {
        for tag in tags {
            self.claim.check()?;
            self.engine.storage.delete_tag(&self.mirror.config.repository, tag).await?;
            self.engine.table.delete_tag(&self.mirror.config.repository, tag).await?;
            self.progress.outcome(tag, Outcome::Pruned, None);
        }
        Ok(())
    }
}
