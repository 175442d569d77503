//! Which of the registry's tags are let in: asks for no more of them than it takes to say so.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Gate,
    hold::{Facts, Sighting},
};
use crate::{
    Digest, TagName, Timestamp,
    mode::Mode,
    plan::HeldTag,
    selection::{Candidate, Decision, Maturity, Step, Verdict},
};

/// What has to be found out before it can be said what is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// What a tag points to at the registry.
    Digest(TagName),
    /// What an image is for, and how large it is. One of those that point to it is named.
    Facts(TagName, Digest),
}

/// What became of the question what a tag points to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Digest(Digest),
    /// The registry did not say.
    None,
}

/// The tags that the root rule selects, at the gate. Nothing is asked of a tag that is out by its name, or too old to be
/// among the newest; and what a tag points to here has passed.
#[derive(Debug)]
pub struct Admission<'a> {
    gate: &'a Gate,
    /// What the mirror holds.
    held: &'a BTreeMap<TagName, HeldTag>,
    sightings: &'a BTreeMap<Digest, Sighting>,
    now: Timestamp,
    tags: Vec<TagName>,
    /// Tags that are held and that the registry does not list. They take no place of another, and may be without one.
    vanished: BTreeSet<TagName>,
    answers: BTreeMap<TagName, Answer>,
    /// What was found out of images that nothing was known of.
    found: BTreeMap<Digest, Option<Facts>>,
    /// Since when an image is here, under whatever name.
    here: BTreeMap<&'a Digest, Timestamp>,
}

impl<'a> Admission<'a> {
    /// Of tags that the registry lists and the root rule selects, and of `vanished` ones that it does not list. The images
    /// that nobody has seen before are seen `now`.
    pub fn new(
        gate: &'a Gate,
        held: &'a BTreeMap<TagName, HeldTag>,
        sightings: &'a BTreeMap<Digest, Sighting>,
        (tags, vanished): (Vec<TagName>, Vec<TagName>),
        now: Timestamp,
    ) -> Self {
        let mut here: BTreeMap<&Digest, Timestamp> = BTreeMap::new();
        for held in held.values() {
            let since = here.entry(held.upstream()).or_insert(held.first_seen);
            *since = held.first_seen.min(*since);
        }
        let vanished: BTreeSet<_> = vanished.into_iter().collect();
        let tags = tags.into_iter().chain(vanished.iter().cloned()).collect();
        let (answers, found) = Default::default();
        Self { gate, held, sightings, now, tags, vanished, answers, found, here }
    }

    /// Notes what a tag points to; nothing if the registry did not say.
    pub fn answer(&mut self, tag: TagName, digest: Option<Digest>) {
        self.answers.insert(tag, digest.map_or(Answer::None, Answer::Digest));
    }

    /// Notes what was found out of an image; nothing if that could not be.
    pub fn found(&mut self, digest: Digest, facts: Option<Facts>) {
        self.found.insert(digest, facts);
    }

    /// What a tag points to, as far as it was asked for.
    pub fn digest(&self, tag: &TagName) -> Option<&Digest> {
        match self.answers.get(tag) {
            Some(Answer::Digest(digest)) => Some(digest),
            Some(Answer::None) | None => None,
        }
    }

    /// Whether a tag was asked for and the registry did not say.
    pub fn is_silent(&self, tag: &TagName) -> bool {
        self.answers.get(tag) == Some(&Answer::None)
    }

    /// Whether a tag is listed.
    pub fn is_listed(&self, tag: &TagName) -> bool {
        !self.vanished.contains(tag)
    }

    /// What is decided by what is known, and what has to be asked before that is final. Each is asked once.
    pub fn decide(&self) -> (Vec<Decision>, Vec<Ask>) {
        let candidates: Vec<_> = self.tags.iter().map(|tag| self.candidate(tag)).collect();
        let decisions = self.gate.decide(&candidates);
        let more = self.next_ones(&decisions);
        let mut images = BTreeSet::new();
        let mut is_first = |ask: &Ask| match ask {
            Ask::Facts(_, digest) => images.insert(digest.clone()),
            Ask::Digest(_) => true,
        };
        let mut asks: Vec<_> =
            decisions.iter().filter_map(|decision| self.ask(decision)).filter(|ask| is_first(ask)).collect();
        if !asks.is_empty() {
            asks.extend(more);
        }
        (decisions, asks)
    }

    /// An image's age in the mode that only observes: until when it would be held.
    pub fn observed(&self, tag: &TagName) -> Option<Timestamp> {
        let age = self.gate.age().filter(|age| age.mode == Mode::Observe)?;
        let digest = self.digest(tag).filter(|digest| !self.is_here(tag, digest))?;
        match age.maturity(&self.sighting(digest), self.now) {
            Maturity::Waiting { until } => Some(until),
            Maturity::Mature | Maturity::Unknown => None,
        }
    }

    /// What is to be remembered of images: when those were first seen that wait or were let in now, if anybody asks, and
    /// what was found out.
    pub fn sightings(&self) -> BTreeMap<Digest, Sighting> {
        let is_timed = self.gate.age().is_some() || self.gate.needs().first_seen;
        let seen = self.answers.iter().filter_map(|(tag, answer)| match answer {
            Answer::Digest(digest) if is_timed && !self.is_here(tag, digest) => Some(digest),
            _ => None,
        });
        let found = self.found.iter().filter_map(|(digest, facts)| facts.as_ref().map(|_| digest));
        let all: BTreeSet<_> = seen.chain(found).collect();
        let sighting = |digest: &Digest| (digest.clone(), self.sighting(digest));
        let is_new = |(digest, sighting): &(Digest, Sighting)| self.sightings.get(digest) != Some(sighting);
        all.into_iter().map(sighting).filter(is_new).collect()
    }

    /// The images that tags were found to point to.
    pub fn seen(&self) -> impl Iterator<Item = &Digest> {
        self.tags.iter().filter_map(|tag| self.digest(tag))
    }

    fn candidate(&self, tag: &TagName) -> Candidate {
        let held = self.held.get(tag);
        if let Some(held) = held.filter(|_| !self.is_listed(tag)) {
            let facts = self.facts(held.upstream());
            return Candidate {
                tag: tag.clone(),
                first_seen: Some(held.first_seen),
                maturity: Maturity::Waiting { until: Timestamp::from_unix(i64::MAX) },
                is_served: false,
                size: Some(held.size),
                platforms: Some(facts.platforms.unwrap_or_default()),
            };
        }
        let digest = self.digest(tag);
        let facts = digest.map(|digest| self.facts(digest)).unwrap_or_default();
        let is_here = digest.is_some_and(|digest| self.is_here(tag, digest));
        Candidate {
            tag: tag.clone(),
            first_seen: digest.map(|digest| self.sighting(digest).first_seen),
            maturity: self.maturity(tag, digest.filter(|_| !is_here)),
            is_served: held.is_some(),
            size: held.filter(|_| is_here).map(|held| held.size).or(facts.size),
            platforms: facts.platforms,
        }
    }

    /// Of an image that is not here yet. One that was not asked for is taken for old enough: if that lets it in, it is
    /// asked for.
    fn maturity(&self, tag: &TagName, digest: Option<&Digest>) -> Maturity {
        match (self.gate.age().filter(|age| age.mode == Mode::Enforce), digest) {
            (Some(age), Some(digest)) => age.maturity(&self.sighting(digest), self.now),
            (Some(_), None) if self.is_silent(tag) => Maturity::Unknown,
            _ => Maturity::Mature,
        }
    }

    /// Tags that would be the newest were more of those before them too young, as many as were asked for: so that however
    /// many are young, the old ones are found in few rounds.
    fn next_ones(&self, decisions: &[Decision]) -> Vec<Ask> {
        let is_open = |decision: &&Decision| {
            decision.verdict == Verdict::Removed { step: Step::Newest }
                && self.is_listed(&decision.tag)
                && !self.answers.contains_key(&decision.tag)
        };
        if self.answers.is_empty() || self.gate.age().is_none_or(|age| age.mode != Mode::Enforce) {
            return Vec::new();
        }
        let mut open: Vec<_> = decisions.iter().filter(is_open).collect();
        open.sort_by_key(|decision| decision.rank);
        let few = open.into_iter().take(self.answers.len());
        few.map(|decision| Ask::Digest(decision.tag.clone())).collect()
    }

    /// Whether a tag stays as it is here although the gate takes it out: that is for what it points to now, and has no say
    /// about what it pointed to before.
    pub fn stays(&self, decision: &Decision) -> bool {
        let is_about_image = matches!(decision.verdict, Verdict::Removed { step: Step::Platforms | Step::MaxSize });
        let tag = &decision.tag;
        let has_moved = self.digest(tag).is_some_and(|digest| !self.is_here(tag, digest));
        is_about_image && has_moved && self.held.contains_key(tag)
    }

    fn ask(&self, decision: &Decision) -> Option<Ask> {
        let tag = &decision.tag;
        let may_pass = matches!(decision.verdict, Verdict::Kept | Verdict::Held { .. } | Verdict::Unknown { .. });
        if !may_pass || !self.is_listed(tag) || !self.gate.needs_digests() {
            return None;
        }
        let Some(answer) = self.answers.get(tag) else { return Some(Ask::Digest(tag.clone())) };
        let Answer::Digest(digest) = answer else { return None };
        let is_open = |verdict| matches!(verdict, Verdict::Unknown { step: Step::Platforms | Step::MaxSize });
        let is_about_image = is_open(decision.verdict) || decision.observed.is_some_and(is_open);
        (is_about_image && !self.found.contains_key(digest)).then(|| Ask::Facts(tag.clone(), digest.clone()))
    }

    /// Whether a tag points to this image here.
    fn is_here(&self, tag: &TagName, digest: &Digest) -> bool {
        self.held.get(tag).is_some_and(|held| held.upstream() == digest)
    }

    fn facts(&self, digest: &Digest) -> Facts {
        let known = self.sightings.get(digest).map(|sighting| sighting.facts.clone()).unwrap_or_default();
        self.found.get(digest).cloned().flatten().unwrap_or_default().or(known)
    }

    fn sighting(&self, digest: &Digest) -> Sighting {
        let facts = self.facts(digest);
        match self.sightings.get(digest) {
            Some(known) => Sighting { facts, ..known.clone() },
            None => Sighting { first_seen: self.here.get(digest).copied().unwrap_or(self.now), release: None, facts },
        }
    }
}
