//! The gate's first questions, in a sync: which of the tags that the root rule selects go on to be copied.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use moorage_domain::{
    Digest, TagName,
    failure::Failure,
    gate::{Admission, Ask, Facts, Judgement, Mode, Reason},
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

/// What becomes of the tags that the root rule selects.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    /// They go on.
    pub(crate) selected: Vec<TagName>,
    /// They stay as they are here, if they are.
    pub(crate) waiting: BTreeSet<TagName>,
    /// They are not selected after all; of what is held, listed or not.
    pub(crate) out: BTreeSet<TagName>,
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
        let is_vanished = |tag: &&TagName| !means.listed.contains(*tag);
        let vanished = self.select(means.held.keys().filter(is_vanished).cloned().collect())?;
        let failures = Mutex::new(BTreeMap::new());
        let moment = now();
        let mut admission = Admission::new(gate, means.held, &keeper.records.sightings, (selected, vanished), moment);
        let ask = async |question: &Ask| match self.answer(means, gate.needs(), question).await {
            Ok(answer) => Ok(answer),
            Err(WorkError::Failed(failure)) => {
                let (Ask::Digest(tag) | Ask::Facts(tag, _)) = question;
                failures.lock().unwrap_or_else(PoisonError::into_inner).insert(tag.clone(), failure);
                Ok(if matches!(question, Ask::Digest(_)) { Answer::Digest(None) } else { Answer::Facts(None) })
            }
            Err(error) => Err(error),
        };
        let decisions = ask::decide(&mut admission, ask).await?;
        let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.remember(&admission, keeper).await?;
        self.settle(keeper, &admission, decisions, failures, means).await
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
            Ask::Facts(tag, digest) => Ok(Answer::Facts(Some(self.facts(means, needs, tag, digest).await?))),
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

    /// Records when images were first seen, before anything is decided by it.
    async fn remember(&self, admission: &Admission<'_>, keeper: &Gatekeeper) -> Result<(), WorkError> {
        let (table, repository) = (&self.engine.table, &self.mirror.config.repository);
        table.put_sightings(repository, admission.sightings(), now()).await?;
        let seen: BTreeSet<_> = admission.seen().collect();
        for digest in keeper.records.fading.iter().filter(|digest| seen.contains(digest)) {
            table.keep_sighting(repository, digest, now()).await?;
        }
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
        for Decision { tag, verdict, .. } in decisions {
            let is_listed = admission.is_listed(&tag);
            let judgement = match verdict {
                Verdict::Removed { step } => {
                    if step != Step::Derived && means.held.contains_key(&tag) {
                        keeper.judge(&tag, Judgement::of_step(step, Reason::Deselected));
                    }
                    admitted.out.insert(tag);
                    continue;
                }
                _ if !is_listed => continue,
                Verdict::Kept => {
                    if let Some(until) = admission.observed(&tag) {
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
                if !self.done.contains(&tag) {
                    self.progress.queue_ready().await;
                    self.progress.failure(&tag, failure);
                }
            } else if let Some(digest) = admission.digest(&tag) {
                holds.push((tag.clone(), digest.clone(), means.held.get(&tag), judgement));
            }
        }
        let waiting: Vec<_> = holds.iter().map(|(tag, digest, ..)| (tag.clone(), digest.clone())).collect();
        keeper.hold(holds).await?;
        for (tag, digest) in waiting.into_iter().filter(|(tag, _)| !self.done.contains(tag)) {
            self.progress.queue_ready().await;
            self.progress.judged(&tag, moorage_domain::run::Outcome::Held, Some(digest), keeper.judgement(&tag));
        }
        Ok(admitted)
    }
}
