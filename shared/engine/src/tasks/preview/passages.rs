//! How the tags come through the gate.

use std::collections::BTreeMap;

use moorage_domain::{
    Digest, Gate, TagName,
    gate::{Admission, Judgement, Mode, Reason, Sighting},
    plan::HeldTag,
    preview::Ranked,
    selection::{Decision, Step, Verdict},
};

/// How one tag comes through.
#[derive(Debug, Clone)]
pub(crate) enum Passage {
    /// It passes; with what a question that is only observed says.
    Passed(Option<Judgement>),
    /// It waits.
    Waits(Judgement),
    /// It is taken out.
    Out(Judgement),
    /// It is none of those that are asked: it follows its image.
    Derived,
}

/// How all tags come through.
pub(crate) struct Passages<'a> {
    gate: &'a Gate,
    sightings: &'a BTreeMap<Digest, Sighting>,
    all: BTreeMap<TagName, (Passage, Ranked)>,
}

impl<'a> Passages<'a> {
    pub(crate) fn new(
        gate: &'a Gate,
        decisions: Vec<Decision>,
        admission: &Admission<'_>,
        sightings: &'a BTreeMap<Digest, Sighting>,
    ) -> Self {
        let one = |decision: Decision| {
            let Decision { tag, verdict, key, group, rank, spared, observed } = decision;
            let passage = match verdict {
                Verdict::Kept => {
                    let age = || admission.observed(&tag).map(|until| Judgement::too_young(Mode::Observe, until));
                    Passage::Passed(observed.and_then(Judgement::observed).or_else(age))
                }
                Verdict::Removed { step: Step::Derived } => Passage::Derived,
                Verdict::Removed { step } => Passage::Out(Judgement::of_step(step, Reason::Deselected)),
                // What vanished waits for nothing.
                _ if !admission.is_listed(&tag) => Passage::Passed(None),
                Verdict::Held { until } => Passage::Waits(Judgement::too_young(Mode::Enforce, until)),
                Verdict::Unknown { step } => Passage::Waits(Judgement::of_step(step, Reason::EvidenceUnavailable)),
            };
            let key = key.map(|key| key.to_string());
            (tag, (passage, Ranked { key, group, rank, spared_by_always: spared }))
        };
        Self { gate, sightings, all: decisions.into_iter().map(one).collect() }
    }

    /// The tags that pass.
    pub(crate) fn passed(&self) -> impl Iterator<Item = &TagName> {
        self.all.iter().filter(|(_, (passage, _))| matches!(passage, Passage::Passed(_))).map(|(tag, _)| tag)
    }

    /// How a tag comes through; nothing of one that the root rule does not select.
    pub(crate) fn of(&self, tag: &TagName) -> Option<&Passage> {
        self.all.get(tag).map(|(passage, _)| passage)
    }

    /// How it was compared.
    pub(crate) fn ranked(&self, tag: &TagName) -> Ranked {
        self.all.get(tag).map(|(_, ranked)| ranked.clone()).unwrap_or_default()
    }

    /// Whether a tag is selected still, where the root rule selects it.
    pub(crate) fn keeps(&self, tag: &TagName) -> bool {
        !matches!(self.of(tag), Some(Passage::Out(_) | Passage::Derived))
    }

    /// What is said of a tag that points to another image than here, if it does not simply follow.
    pub(crate) fn on_move(&self, tag: &TagName, held: &HeldTag, upstream: &Digest) -> Option<Judgement> {
        if held.upstream() == upstream { None } else { self.gate.judge_move(tag, upstream, self.sightings) }
    }
}
