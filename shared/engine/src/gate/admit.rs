//! The gate's first questions, in a sync: which of the tags that the root rule selects go on to be copied.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Digest, Gate, Selection, TagName,
    failure::Failure,
    gate::{self, Admission, Ask, Facts, Judgement, Mode, Reason},
    plan::HeldTag,
    selection::{Decision, Needs, Step, Verdict},
};
use moorage_state::now;
use moorage_storage::Stored;
use moorage_upstream::Registry;

use crate::{
    error::WorkError,
    gate::{
        ask::{self, Answer},
        facts::{self, Document},
        keeper::Gatekeeper,
    },
    sync::invocation::Invocation,
    transfer::copier::Copier,
};

/// Sightings that one run has remembered for longer: the next runs see to the others.
const MOST_RENEWALS: usize = 1_000;
/// Sightings that are written at once.
const WRITES_IN_FLIGHT: usize = 16;

/// What becomes of the tags that the root rule selects.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    /// They go on.
    pub(crate) selected: Vec<TagName>,
    /// They stay as they are here, if they are.
    pub(crate) waiting: BTreeSet<TagName>,
    /// They are not selected after all; of what is held, listed or not.
    pub(crate) out: BTreeSet<TagName>,
    decisions: Vec<Decision>,
}

impl Admitted {
    /// Has those stay that were to make room for what did not come: `held` is what is here after copying.
    pub(crate) fn spare(&mut self, gate: &Gate, held: &BTreeMap<TagName, HeldTag>) {
        let Some(newest) = gate.selects().filter(|it| it.mode() == Mode::Enforce).and_then(Selection::newest) else {
            return;
        };
        for tag in gate::spared(newest, &self.decisions, |tag| held.contains_key(tag)) {
            self.out.remove(&tag);
            self.waiting.insert(tag);
        }
    }
}

/// What a run has at hand to ask by.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) copier: &'a Copier,
    pub(crate) held: &'a BTreeMap<TagName, HeldTag>,
    pub(crate) listed: &'a BTreeSet<TagName>,
}

impl Invocation<'_> {
    /// Asks the gate about the tags that the root rule selects. Without a gate all go on.
    pub(crate) async fn admit(&self, means: Means<'_>, selected: Vec<TagName>) -> Result<Admitted, WorkError> {
        let Some(keeper) = &self.gatekeeper else { return Ok(Admitted { selected, ..Admitted::default() }) };
        let gate = &self.mirror.config.policy.gate;
        // Of those that a run has not asked for, nothing is known.
        let is_vanished = |tag: &&TagName| self.hinted.is_none() && !means.listed.contains(*tag);
        let vanished = self.select(means.held.keys().filter(is_vanished).cloned().collect())?;
        let failures = Mutex::new(BTreeMap::new());
        let moment = now();
        let mut admission = Admission::new(gate, means.held, &keeper.records.sightings, (selected, vanished), moment);
        let ask = async |question: &Ask| match self.answer(means, gate.needs(), question).await {
            Ok(answer) => Ok(answer),
            Err(WorkError::Failed(failure)) => Ok(match question {
                Ask::Digest(tag) => {
                    failures.lock().unwrap_or_else(PoisonError::into_inner).insert(tag.clone(), failure);
                    Answer::Digest(None)
                }
                Ask::Facts(tag, image) => {
                    tracing::warn!(%tag, %image, error = failure.logged(), "the image cannot be judged, and is held");
                    Answer::Facts(None)
                }
            }),
            Err(error) => Err(error),
        };
        let decided = ask::decide(&mut admission, ask).await;
        // However far it came: the next invocation goes on from here.
        self.remember(&admission, keeper).await?;
        let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.settle(keeper, &admission, decided?, failures, means).await
    }

    /// Asks for one thing.
    async fn answer(&self, means: Means<'_>, needs: Needs, question: &Ask) -> Result<Answer, WorkError> {
        if !self.budget.may_begin() {
            return Err(WorkError::Suspended);
        }
        match question {
            Ask::Digest(tag) => {
                let resolved = self.resolve(means.registry, means.held, tag).await?;
                if let Some(manifest) = resolved.manifest {
                    means.copier.keep(&resolved.digest, &manifest);
                }
                Ok(Answer::Digest(Some(resolved.digest)))
            }
            Ask::Facts(tag, digest) => {
                let facts = self.facts(means, needs, tag, digest).await?;
                // It is remembered, and so the run has got somewhere.
                self.progress.stored();
                Ok(Answer::Facts(Some(facts)))
            }
        }
    }

    /// What is here is read here; what comes from the registry is kept for copying.
    async fn facts(&self, means: Means<'_>, needs: Needs, tag: &TagName, image: &Digest) -> Result<Facts, WorkError> {
        let Means { copier, held, .. } = means;
        let read = async |document: Document<'_>| -> Result<Bytes, WorkError> {
            let _place = copier.documents.acquire().await;
            match document {
                Document::Manifest(digest) => {
                    if held.get(tag).is_some_and(|held| held.digest == *image)
                        && let Stored::Sound(bytes) = self.engine.linked(&self.owner, digest).await?
                    {
                        return Ok(bytes);
                    }
                    let name = Some(tag).filter(|_| digest == image);
                    let bytes = copier.fetched(digest, name).await?;
                    copier.keep(digest, &bytes);
                    Ok(bytes)
                }
                Document::Config(config) => {
                    let content = copier.blobs.fetch(config).await?;
                    copier.keep(&config.digest, content.bytes());
                    Ok(Bytes::copy_from_slice(content.bytes()))
                }
            }
        };
        facts::look(image, needs, read).await
    }

    /// Records when images were first seen, and what was found out of them, before anything is decided by it.
    async fn remember(&self, admission: &Admission<'_>, keeper: &Gatekeeper) -> Result<(), WorkError> {
        let (table, repository) = (&self.engine.table, &self.mirror.config.repository);
        let known = &keeper.records.sightings;
        let (more, new): (Vec<_>, Vec<_>) =
            admission.sightings().into_iter().partition(|(digest, _)| known.contains_key(digest));
        table.put_sightings(repository, new, now()).await?;
        let seen: BTreeSet<_> = admission.seen().collect();
        let fading = keeper.records.fading.iter().filter(|digest| seen.contains(digest)).take(MOST_RENEWALS);
        let fading = fading.map(|digest| (digest.clone(), Facts::default()));
        let changed: BTreeMap<_, _> =
            fading.chain(more.into_iter().map(|(digest, seen)| (digest, seen.facts))).collect();
        let change = async |(digest, facts)| table.keep_sighting(repository, &digest, &facts, now()).await;
        stream::iter(changed).map(change).buffer_unordered(WRITES_IN_FLIGHT).try_collect::<()>().await?;
        Ok(())
    }

    /// What follows from the decisions: what goes on, and what is recorded of the others.
    async fn settle(
        &self,
        keeper: &Gatekeeper,
        admission: &Admission<'_>,
        decisions: Vec<Decision>,
        mut failures: BTreeMap<TagName, Failure>,
        means: Means<'_>,
    ) -> Result<Admitted, WorkError> {
        let (mut admitted, mut holds) = (Admitted::default(), Vec::new());
        for decision in &decisions {
            let Decision { tag, verdict, .. } = decision;
            let (tag, is_listed) = (tag.clone(), admission.is_listed(tag));
            keeper.judged(&tag, admission.digest(&tag));
            let judgement = match *verdict {
                Verdict::Removed { step } if admission.stays(decision) => Judgement::of_step(step, Reason::Deselected),
                Verdict::Removed { step } => {
                    if step != Step::Derived && means.held.contains_key(&tag) {
                        keeper.judge(&tag, Judgement::of_step(step, Reason::Deselected));
                    }
                    admitted.out.insert(tag);
                    continue;
                }
                _ if !is_listed => continue,
                Verdict::Kept => {
                    if let Some(judgement) = decision.observed.and_then(Judgement::observed) {
                        keeper.judge(&tag, judgement);
                    } else if let Some(until) = admission.observed(&tag) {
                        keeper.judge(&tag, Judgement::too_young(Mode::Observe, until));
                    }
                    admitted.selected.push(tag);
                    continue;
                }
                Verdict::Held { until } => Judgement::too_young(Mode::Enforce, until),
                Verdict::Unknown { step } => Judgement::of_step(step, Reason::EvidenceUnavailable),
            };
            admitted.waiting.insert(tag.clone());
            if let Some(failure) = failures.remove(&tag) {
                keeper.still_holds(&tag);
                if !self.done.contains(&tag) {
                    self.progress.queue_ready().await;
                    self.progress.failure(&tag, failure, None);
                }
            } else if let Some(digest) = admission.digest(&tag) {
                holds.push((tag.clone(), digest.clone(), means.held.get(&tag), judgement));
            }
        }
        let waiting: Vec<_> = holds.iter().map(|(tag, digest, ..)| (tag.clone(), digest.clone())).collect();
        keeper.hold(holds).await?;
        keeper.admitted(admitted.selected.iter());
        admitted.decisions = decisions;
        for (tag, digest) in waiting.into_iter().filter(|(tag, _)| !self.done.contains(tag)) {
            self.progress.queue_ready().await;
            self.progress.judged(&tag, moorage_domain::run::Outcome::Held, Some(digest), keeper.judgement(&tag));
        }
        Ok(admitted)
    }
}
