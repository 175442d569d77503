//! The steps of a sync that asks for hinted tags only: no list, and nothing is concluded of other tags.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    FailureReason, TagName,
    gate::Mode,
    plan::{Cause, HeldTag},
    referrers::{attached_tags, is_attached_tag},
    run::{Outcome, TagOutcome},
};
use moorage_state::now;
use moorage_upstream::{Registry, UpstreamError};

use crate::{
    error::WorkError,
    gate::admit::{Admitted, Means},
    sync::{
        invocation::{Invocation, Work},
        source,
    },
    transfer::{attached::Attached, copier::Copier},
};

/// Tags that are asked for at once.
const HEADS_IN_FLIGHT: usize = 32;
/// How many runs are looked at for images that were refused, back to one that asked for all tags. Most often the last one of the
/// schedule is among them, and has.
const RUNS: i32 = 25;

/// What the registry says of tags.
#[derive(Default)]
struct Found {
    /// It has them, or does not say.
    there: BTreeSet<TagName>,
    /// It does not have them any more, or not yet.
    gone: BTreeSet<TagName>,
}

impl Invocation<'_> {
    /// Asks for the tags that somebody has said to have moved, as far as the root rule selects them, and has the others
    /// alone: what is not said of them is not known.
    pub(crate) async fn try_hinted(&self, hinted: &[TagName]) -> Result<Work, WorkError> {
        let (engine, config) = (self.engine, &self.mirror.config);
        let registry = source::open(engine, self.mirror, self.login, self.meter.clone()).await?;
        self.knowledge.speak(&registry);
        let (mut held, left) = tokio::try_join!(engine.table.tags(&config.repository), self.has_left_uploads())?;
        self.look_for_unsettled(&held).await?;
        let wanted: BTreeSet<_> = self.select(hinted.to_vec())?.into_iter().collect();
        // A signature is pushed by itself, after its image, and no rule names it.
        let others = hinted.iter().filter(|tag| is_attached_tag(tag) && !wanted.contains(*tag)).cloned().collect();
        let Found { mut there, gone } = self.find(&registry, wanted).await?;
        let Found { there: mut named, gone: unnamed } = self.find(&registry, others).await?;
        // Where images have to be signed, one that a rule names follows its image all the same.
        named.extend(there.iter().filter(|tag| is_attached_tag(tag)).cloned());
        self.knowledge.spoke(&registry);
        there.extend(self.refused_before(&registry, &held, &named).await?);
        let gone: BTreeSet<_> = gone.into_iter().chain(unnamed).collect();
        self.progress.selected(there.len().saturating_add(gone.len()));
        // That it is gone, only a whole list shows: until then it stays.
        for tag in gone.iter().filter(|tag| !self.done.contains(tag)) {
            self.progress.queue_ready().await;
            self.progress.obsolete(tag, Outcome::Skipped, Cause::Vanished, None);
        }
        let is_empty = self.is_empty(&held).await?;
        let copier = self.copier(&registry, &held, is_empty).await?;
        let means = Means { registry: &registry, copier: &copier, held: &held, listed: &there };
        let Admitted { selected, waiting, .. } = self.admit(means, there.iter().cloned().collect()).await?;
        self.progress.selected(selected.len().saturating_add(waiting.len()).saturating_add(gone.len()));
        let is_open = |tag: &&TagName| !self.done.contains(tag) || self.lets_in(tag);
        let open: Vec<_> = selected.iter().filter(is_open).collect();
        if !self.copy(&registry, &copier, &held, &open).await? {
            return Ok(Work::Suspended);
        }
        copier.update(&mut held);
        let mut chosen: BTreeSet<_> = selected.iter().cloned().collect();
        let listed = self.attached_to(&registry, &copier, (&chosen, &held), named).await?;
        chosen.extend(subjects_of(&listed, &held));
        let (refresh, again) = (false, BTreeSet::new());
        let attached = Attached {
            invocation: self,
            registry: &registry,
            copier: &copier,
            listed: &listed,
            selected: &chosen,
            refresh,
            again: &again,
        };
        if attached.mirror(&mut held).await?.is_none() {
            return Ok(Work::Suspended);
        }
        self.attached();
        if left {
            copier.give_up_others().await?;
        }
        // Of the others it is not known what the registry has.
        self.settle_tags(&copier, &held, |tag| chosen.contains(tag)).await?;
        let held_back = match &self.gatekeeper {
            Some(keeper) => keeper.settle(Some(&there)).await?,
            None => None,
        };
        engine.measure(&config.repository).await?;
        self.ask_again().await?;
        self.progress.complete();
        let no_listing = self.no_listing(&registry).await;
        Ok(Work::Done { selected, warnings: [None, held_back], verified: false, no_listing })
    }

    /// The tags that earlier runs have refused because their images were not signed, as these `named` signatures say that they
    /// are now: nothing of them is here, by which a signature would find them.
    async fn refused_before(
        &self,
        registry: &Registry,
        held: &BTreeMap<TagName, HeldTag>,
        named: &BTreeSet<TagName>,
    ) -> Result<BTreeSet<TagName>, WorkError> {
        let is_enforced =
            self.mirror.config.policy.gate.signatures().is_some_and(|policy| policy.mode() == Mode::Enforce);
        let mut strange = named.clone();
        for held in held.values() {
            subject_names(held).for_each(|tag| _ = strange.remove(&tag));
        }
        if !is_enforced || strange.is_empty() {
            return Ok(BTreeSet::new());
        }
        let (table, repository) = (&self.engine.table, &self.mirror.config.repository);
        let mut refused = BTreeSet::new();
        for run in table.runs(repository, RUNS, Some(self.run), now()).await?.runs {
            let mut is_enough = run.has_asked_for_all();
            if run.progress.tags_failed > 0 {
                let see = |outcome: TagOutcome| match outcome.failure.map(|failure| failure.reason) {
                    Some(FailureReason::SignatureRefused) => _ = refused.insert(outcome.tag),
                    // An earlier run may have refused it: this one did not get as far as that.
                    Some(_) if outcome.outcome == Outcome::Failed => is_enough = false,
                    _ => {}
                };
                table.each_outcome(repository, &run, see).await?;
            }
            if is_enough {
                break;
            }
        }
        let refused = self.select(refused.into_iter().collect())?.into_iter().collect();
        let mut signed = BTreeSet::new();
        for tag in self.find(registry, refused).await?.there {
            match self.knowledge.resolve(registry, &tag).await {
                Ok(resolved) if !attached_tags(&resolved.digest).any(|name| strange.contains(&name)) => {}
                // What cannot be asked for fails as what was told of, and is asked for again.
                Ok(_) | Err(_) => _ = signed.insert(tag),
            }
        }
        Ok(signed)
    }

    /// Which of some tags the registry has. What it says otherwise is said again where the tag is copied, and fails it there.
    async fn find(&self, registry: &Registry, tags: BTreeSet<TagName>) -> Result<Found, WorkError> {
        let ask = async |tag: TagName| {
            let said = if self.budget.may_begin() {
                self.knowledge.resolve(registry, &tag).await.map(drop).map_err(Some)
            } else {
                Err(None)
            };
            (tag, said)
        };
        let (mut found, mut stop) = (Found::default(), None);
        let mut answers = stream::iter(tags).map(ask).buffer_unordered(HEADS_IN_FLIGHT);
        while let Some((tag, said)) = answers.next().await {
            match said {
                Err(Some(UpstreamError::NotFound(_))) => found.gone.insert(tag),
                Err(Some(error @ UpstreamError::RateLimited { .. })) => {
                    stop = Some(error.into());
                    break;
                }
                Err(None) => {
                    stop = Some(WorkError::Suspended);
                    break;
                }
                Ok(()) | Err(Some(_)) => found.there.insert(tag),
            };
        }
        stop.map_or(Ok(found), Err)
    }

    /// The tags that are attached to images: the `named` ones, and those that the registry has of images that were copied.
    /// Without a list their names are tried, which are known.
    async fn attached_to(
        &self,
        registry: &Registry,
        copier: &Copier,
        (tags, held): (&BTreeSet<TagName>, &BTreeMap<TagName, HeldTag>),
        named: BTreeSet<TagName>,
    ) -> Result<BTreeSet<TagName>, WorkError> {
        let is_new = |tag: &&TagName| copier.has_copied(tag) || self.copied.contains(tag);
        let mut tried = BTreeSet::new();
        for copied in tags.iter().filter(is_new).filter_map(|tag| held.get(tag)) {
            tried.extend(attached_tags(&copied.digest));
            // What is attached to the images of an index seldom has tags; what is here already must not lose anything.
            tried.extend(copied.manifests.iter().flat_map(attached_tags).filter(|tag| held.contains_key(tag)));
        }
        tried.retain(|tag| !named.contains(tag));
        Ok(self.find(registry, tried).await?.there.into_iter().chain(named).collect())
    }
}

/// The held tags of the images that some tags are attached to.
fn subjects_of(attached: &BTreeSet<TagName>, held: &BTreeMap<TagName, HeldTag>) -> BTreeSet<TagName> {
    if attached.is_empty() {
        return BTreeSet::new();
    }
    let is_subject = |held: &HeldTag| subject_names(held).any(|tag| attached.contains(&tag));
    held.iter().filter(|(_, held)| is_subject(held)).map(|(tag, _)| tag.clone()).collect()
}

/// The names of all that may be attached to what a tag holds.
fn subject_names(held: &HeldTag) -> impl Iterator<Item = TagName> {
    std::iter::once(&held.digest).chain(&held.manifests).flat_map(attached_tags)
}
