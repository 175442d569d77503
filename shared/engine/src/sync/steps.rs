//! The steps of one sync, in their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, future, stream};
use moorage_domain::{
    Digest, FailureReason, Owner, TagName, Timestamp, Warning,
    failure::Failure,
    plan::{self, HeldTag, TagAction},
    referrers::is_attached_tag,
    run::{Outcome, RunId},
};
use moorage_state::{Mirror, SkippedTag};
use moorage_upstream::{Meter, Registry, Said, TagPages, UpstreamError};

use crate::{
    error::WorkError,
    sync::{
        Engine, budget::Budget, claim::Claim, knowledge::Knowledge, progress::Progress, share::Allowance, source,
        tag_set::TagSet,
    },
    transfer::{
        blobs::{Blobs, Flow},
        copy::Copier,
        possession::Possession,
        protect::Guardian,
        publish::Believed,
        referrers::Attached,
    },
};

/// Tags whose digests are asked for at once. A HEAD is cheap for both sides, and 32 hide the latency of a distant one.
const HEADS_IN_FLIGHT: usize = 32;
/// Tags that are copied at once.
const TAGS_IN_FLIGHT: usize = 8;

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
    pub(crate) done: TagSet,
    /// Those of them that were copied.
    pub(crate) copied: TagSet,
    /// The tags that the architecture filter has left out before.
    pub(crate) skipped: BTreeMap<TagName, SkippedTag>,
    /// Whether everything that the tags reference is looked at.
    pub(crate) verifies: bool,
    pub(crate) meter: Meter,
    /// What it knows of its registry, of earlier invocations, too.
    pub(crate) knowledge: Arc<Knowledge>,
    /// The tags that only the bucket knew of.
    pub(crate) adopted: OnceLock<BTreeSet<TagName>>,
    /// What the registry's listing says of its tags.
    pub(crate) said: OnceLock<Said>,
    /// The repository.
    pub(crate) owner: Arc<Owner>,
    /// What it may have, once that is looked at.
    pub(crate) possession: OnceLock<Arc<Possession>>,
}

/// A tag that is to be dealt with.
pub(crate) struct Wanted {
    tag: TagName,
    /// What it is to point to.
    digest: Digest,
    /// What is held, if that is what the registry has: then it is only verified.
    held: Option<HeldTag>,
    /// What the tag's link is.
    believed: Believed,
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
    /// The registry is to be left alone until then.
    Limited(Timestamp),
}

impl Steps<'_> {
    /// Runs all steps.
    pub(crate) async fn all(&self) -> Work {
        match self.try_all().await {
            Ok(work) => work,
            Err(WorkError::Failed(failure)) => Work::Failed(failure),
            Err(WorkError::ClaimLost) => Work::Stopped,
            Err(WorkError::Suspended) => Work::Suspended,
            Err(WorkError::Limited(until)) => Work::Limited(until),
        }
    }

    /// Leaves the repository as it should be left, if it is still ours: with nothing that no tag needs. The next invocation
    /// goes on by what is recorded of that.
    pub(crate) async fn leave(&self, work: &Work) -> Result<(), WorkError> {
        let Some(possession) = self.possession.get() else { return Ok(()) };
        match work {
            Work::Done { .. } | Work::Failed(_) | Work::Suspended | Work::Limited(_) => {
                possession.end(self.claim).await
            }
            Work::Stopped => Ok(()),
        }
    }

    async fn try_all(&self) -> Result<Work, WorkError> {
        let (engine, config) = (self.engine, &self.mirror.config);
        let registry = source::open(engine, self.mirror, self.meter.clone()).await?;
        self.knowledge.speak(&registry);
        // Two that do not wait for each other: a sync that finds nothing new is made of round trips.
        let known = self.knowledge.tags();
        let first = async { if known.is_some() { Ok(None) } else { self.first_of(registry.first_tags().await) } };
        let (first, held) = tokio::join!(first, engine.table.tags(&config.repository));
        self.knowledge.spoke(&registry);
        let (first, mut held) = (first?, held?);
        if self.verifies {
            let adopted = self.adopt(&mut held).await?;
            self.adopted.get_or_init(|| adopted);
        }
        let listed = match known {
            Some(tags) => tags,
            None => self.list(&registry, first, &held).await?,
        };
        self.knowledge.listed(&listed);
        let mut selected = self.select(listed.clone())?;
        let listed: BTreeSet<_> = listed.into_iter().collect();
        self.progress.selected(selected.len());
        let (storage, table, trust) = (engine.storage.clone(), engine.table.clone(), engine.settings.trust);
        let possession = Possession::new(storage, table, Arc::clone(&self.owner), trust, held.is_empty());
        let possession = self.possession.get_or_init(|| Arc::new(possession));
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
            possession: Arc::clone(possession),
            guardian: Guardian::new(engine.table.clone()),
            verifies: self.verifies,
            allowance: Allowance::new(engine, &config.repository, &held).await?,
        };
        let copier =
            Copier::new(blobs, Duration::from_secs(config.skopeo_timeout_interval), config.architecture_filter.clone());
        let open: Vec<_> = selected.iter().filter(|tag| !self.done.contains(tag)).collect();
        let wanted = self.plan(&registry, &copier, &held, &open).await?;
        if !self.copy(&registry, &copier, wanted).await? {
            return Ok(Work::Suspended);
        }
        copier.update(&mut held);
        let chosen: BTreeSet<_> = selected.iter().cloned().collect();
        let checked = self.referrers_checked().await?;
        let refresh = self.is_due(checked.as_ref());
        let checked = checked.unwrap_or_default();
        let attached = Attached {
            steps: self,
            registry: &registry,
            copier: &copier,
            listed: &listed.iter().filter(|tag| is_attached_tag(tag)).cloned().collect(),
            selected: &chosen,
            refresh,
            again: &checked.again,
        };
        let Some(attached) = attached.mirror(&mut held).await? else { return Ok(Work::Suspended) };
        copier.finish().await?;
        selected.extend(attached);
        for tag in self.skipped.keys().filter(|tag| !chosen.contains(tag)) {
            self.claim.tags.delete_skipped(tag).await?;
        }
        let warning = self.prune(&registry, &held, listed.len(), &selected).await?;
        engine.measure(&config.repository).await?;
        self.asked_referrers(refresh, checked).await?;
        self.progress.complete();
        Ok(Work::Done { selected, warning })
    }

    /// The first of the listed tags. A catalog lists repositories that have blobs and no manifest, too, of whose tags the
    /// registry knows nothing: there is nothing to do, and as of every list without any tag, nothing is deleted for it.
    fn first_of(&self, first: Result<TagPages, UpstreamError>) -> Result<Option<TagPages>, UpstreamError> {
        match first {
            Err(UpstreamError::UnknownRepository(_)) if self.mirror.is_discovered => Ok(None),
            first => first.map(Some),
        }
    }

    /// Those of some tags that the mirror's rule selects.
    pub(crate) fn select(&self, tags: Vec<TagName>) -> Result<Vec<TagName>, WorkError> {
        self.mirror.config.root_rule.select(tags).map_err(|error| {
            let (reason, message) = (FailureReason::UnknownError, error.to_string());
            WorkError::Failed(Failure { reason, message })
        })
    }

    /// Asks the registry for the digests of the tags that are still open. Returns the tags to deal with; the others have
    /// an outcome.
    pub(crate) async fn plan(
        &self,
        registry: &Registry,
        copier: &Copier,
        held: &BTreeMap<TagName, HeldTag>,
        open: &[&TagName],
    ) -> Result<Vec<Wanted>, WorkError> {
        let resolve = async |tag| (tag, self.resolve(registry, held, tag).await);
        // What need not be asked comes first, and is recorded whatever becomes of the questions.
        let (said, others): (Vec<_>, Vec<_>) = open.iter().copied().partition(|tag| self.said(held, tag).is_some());
        let stopped = AtomicBool::new(false);
        let open = stream::iter(said.into_iter().chain(others));
        let open = open.take_while(|_| future::ready(!stopped.load(Ordering::Relaxed)));
        let mut resolved = open.map(resolve).buffer_unordered(HEADS_IN_FLIGHT);
        let (mut wanted, mut seen_again, mut stop) = (Vec::new(), Vec::new(), Ok(()));
        let architectures = &self.mirror.config.architecture_filter;
        while let Some((tag, resolved)) = resolved.next().await {
            self.progress.room().await;
            let upstream = match resolved {
                Ok(upstream) => upstream,
                Err(error) => {
                    match self.failed(tag, error.into()) {
                        Ok(()) => continue,
                        // What is under way comes to its end: what is answered is kept for the next invocation.
                        Err(error @ WorkError::Limited(_)) => {
                            stopped.store(true, Ordering::Relaxed);
                            stop = Err(error);
                            continue;
                        }
                        Err(error) => {
                            stop = Err(error);
                            break;
                        }
                    }
                }
            };
            // The record of an earlier repository of the name says nothing of this one.
            let held = held.get(tag).filter(|held| held.generation == self.owner.generation);
            if self.is_skipped(tag, &upstream.digest) {
                self.progress.outcome(tag, Outcome::Skipped, None);
                seen_again.extend(held.filter(|it| it.missing.is_some()).map(|held| (tag, held.last_seen, None)));
                continue;
            }
            let kept = match plan::action(held, &upstream.digest, architectures) {
                TagAction::Keep => held,
                TagAction::Copy => None,
            };
            if kept.is_some_and(|kept| kept.last_seen.is_some()) {
                seen_again.push((tag, None, None));
            }
            match kept {
                Some(_) if !self.verifies => self.progress.outcome(tag, Outcome::Unchanged, None),
                _ => {
                    if let Some(manifest) = upstream.manifest {
                        copier.keep(&upstream.digest, &manifest);
                    }
                    let (tag, digest, believed) = (tag.clone(), upstream.digest, Believed::of(held));
                    wanted.push(Wanted { tag, digest, held: kept.cloned(), believed });
                }
            }
        }
        self.set_seen(seen_again).await?;
        stop?;
        wanted.sort_unstable_by(|one, other| one.tag.cmp(&other.tag));
        Ok(wanted)
    }

    /// Copies or verifies tags, some at a time, as long as there is time to begin another. Tells whether all were tried.
    pub(crate) async fn copy(
        &self,
        registry: &Registry,
        copier: &Copier,
        wanted: Vec<Wanted>,
    ) -> Result<bool, WorkError> {
        let unknown = wanted.iter().filter(|wanted| wanted.held.is_none()).map(|wanted| &wanted.digest);
        copier.possession().learn(&unknown.collect::<Vec<_>>()).await?;
        let (all, mut tried, stopped) = (wanted.len(), 0, AtomicBool::new(false));
        let may_begin = || self.budget.may_begin() && !stopped.load(Ordering::Relaxed);
        let begun = stream::iter(wanted).take_while(|_| future::ready(may_begin()));
        let mut results = begun.map(|wanted| one(registry, copier, wanted)).buffer_unordered(TAGS_IN_FLIGHT);
        let mut stop = None;
        while let Some((tag, digest, result)) = results.next().await {
            self.progress.room().await;
            tried += 1;
            match result {
                Ok(Outcome::Unchanged) if self.is_adopted(&tag) => {
                    self.progress.outcome(&tag, Outcome::Repaired, Some(digest));
                }
                Ok(outcome @ (Outcome::Skipped | Outcome::Unchanged)) => self.progress.outcome(&tag, outcome, None),
                Ok(outcome) => self.progress.outcome(&tag, outcome, Some(digest)),
                Err(WorkError::Suspended) => tried -= 1,
                // What is under way comes to its end: its content is often not what is limited.
                Err(error @ WorkError::Limited(_)) => {
                    stopped.store(true, Ordering::Relaxed);
                    stop = Some(error);
                }
                Err(error) => self.failed(&tag, error)?,
            }
        }
        stop.map_or(Ok(tried == all), Err)
    }

    fn is_adopted(&self, tag: &TagName) -> bool {
        self.adopted.get().is_some_and(|adopted| adopted.contains(tag))
    }

    /// Whether the architecture filter, as it is, has left out this very image before.
    pub(crate) fn is_skipped(&self, tag: &TagName, upstream: &Digest) -> bool {
        let filter = &self.mirror.config.architecture_filter;
        self.skipped.get(tag).is_some_and(|skipped| skipped.digest == *upstream && skipped.architectures == *filter)
    }

    /// Records a tag's failure; passes on what concerns the whole sync.
    pub(crate) fn failed(&self, tag: &TagName, error: WorkError) -> Result<(), WorkError> {
        match error {
            WorkError::Failed(failure) => {
                self.progress.failure(tag, failure);
                Ok(())
            }
            error => Err(error),
        }
    }
}

/// Deals with one tag. One whose image does not come is asked for once more, by the tag: it moved or went meanwhile, or the
/// registry named a digest that it no longer has, whatever it says to that.
async fn one(registry: &Registry, copier: &Copier, wanted: Wanted) -> (TagName, Digest, Result<Outcome, WorkError>) {
    let Wanted { tag, mut digest, held, believed } = wanted;
    let mut result = match &held {
        Some(held) => copier.verify(&tag, held).await,
        None => copier.tag(&tag, &digest, None, believed.clone()).await,
    };
    let is_refused = matches!(&result, Err(error) if error.is_refused());
    if is_refused
        && let Ok(upstream) = registry.read(&tag).await
        && upstream.digest != digest
    {
        digest = upstream.digest;
        if let Some(manifest) = upstream.manifest {
            copier.keep(&digest, &manifest);
        }
        result = copier.tag(&tag, &digest, None, believed.clone()).await;
    }
    if matches!(result, Err(WorkError::Failed(_)))
        && held.is_none()
        && let Some(part) = copier.part_of(&tag, &digest, believed).await
    {
        return match part {
            Ok((outcome, ours)) => (tag, ours, Ok(outcome)),
            Err(error) => (tag, digest, Err(error)),
        };
    }
    (tag, digest, result)
}
