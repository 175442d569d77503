//! Which of the registry's tags are let in: asks for no more of them than it takes to say so.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Gate,
    hold::{Facts, Sighting},
    mode::Mode,
};
use crate::{
    Digest, TagName, Timestamp,
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
            let since = here.entry(upstream(held)).or_insert(held.first_seen);
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
            let facts = self.facts(upstream(held));
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
        let is_about_image = matches!(decision.verdict, Verdict::Unknown { step: Step::Platforms | Step::MaxSize });
        (is_about_image && !self.found.contains_key(digest)).then(|| Ask::Facts(tag.clone(), digest.clone()))
    }

    /// Whether a tag points to this image here.
    fn is_here(&self, tag: &TagName, digest: &Digest) -> bool {
        self.held.get(tag).is_some_and(|held| upstream(held) == digest)
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

/// The registry's digest of what is held.
fn upstream(held: &HeldTag) -> &Digest {
    held.source.as_ref().unwrap_or(&held.digest)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Generation, MediaType, gate::MinAge, selection::Selection};

    const NOW: i64 = 1_000_000;

    fn at(unix: i64) -> Timestamp {
        Timestamp::from_unix(unix)
    }

    fn tag(name: &str) -> TagName {
        name.parse().unwrap()
    }

    fn image(number: u8) -> Digest {
        Digest::sha256(&[number])
    }

    fn holding(digest: Digest, first_seen: i64, size: u64) -> HeldTag {
        HeldTag {
            digest,
            media_type: MediaType::OciManifest,
            size,
            first_seen: at(first_seen),
            last_seen: None,
            missing: None,
            source: None,
            architectures: Vec::new(),
            manifests: Vec::new(),
            nested: Vec::new(),
            left_out: Vec::new(),
            reversion: false,
            generation: Generation::default(),
            link: None,
        }
    }

    fn gate(selection: Option<Value>, min_age: Option<Value>) -> Gate {
        Gate {
            selection: selection.map(|given| Selection::parse(given).unwrap()),
            min_age: min_age.map(|given| MinAge::parse(&given).unwrap()),
            on_move: None,
        }
    }

    /// Asks until nothing is open. Returns the decisions, and what was asked for in which order.
    fn run(admission: &mut Admission<'_>, registry: &[(&str, u8)], facts: &[(u8, Facts)]) -> (Vec<Decision>, Vec<Ask>) {
        let mut all = Vec::new();
        loop {
            let (decisions, asks) = admission.decide();
            if asks.is_empty() {
                return (decisions, all);
            }
            for ask in asks {
                assert!(!all.contains(&ask), "asked twice: {ask:?}");
                match &ask {
                    Ask::Digest(tag) => {
                        let found = registry.iter().find(|(name, _)| *name == tag.as_str());
                        admission.answer(tag.clone(), found.map(|(_, number)| image(*number)));
                    }
                    Ask::Facts(_, digest) => {
                        let found = facts.iter().find(|(number, _)| image(*number) == *digest);
                        admission.found(digest.clone(), found.map(|(_, facts)| facts.clone()));
                    }
                }
                all.push(ask);
            }
        }
    }

    fn verdict(decisions: &[Decision], name: &str) -> Verdict {
        decisions.iter().find(|decision| decision.tag.as_str() == name).unwrap().verdict
    }

    fn tags(names: &[&str]) -> (Vec<TagName>, Vec<TagName>) {
        (names.iter().map(|name| tag(name)).collect(), Vec::new())
    }

    #[test]
    fn names_alone_ask_for_nothing() {
        let gate = gate(Some(json!({"newest": 1})), None);
        let (held, sightings) = (BTreeMap::new(), BTreeMap::new());
        let mut admission = Admission::new(&gate, &held, &sightings, tags(&["1.0", "1.1"]), at(NOW));
        let (decisions, asked) = run(&mut admission, &[], &[]);
        assert_eq!(asked, []);
        assert_eq!(verdict(&decisions, "1.1"), Verdict::Kept);
        assert_eq!(verdict(&decisions, "1.0"), Verdict::Removed { step: Step::Newest });
        assert!(admission.sightings().is_empty());
    }

    #[test]
    fn only_what_may_be_let_in_is_asked_for_and_young_images_push_out_no_old_ones() {
        let gate = gate(Some(json!({"newest": 2})), Some(json!({"mode": "enforce", "seconds": 100})));
        let held = BTreeMap::from([(tag("1.1"), holding(image(1), 5, 1))]);
        let sightings = BTreeMap::from([(
            image(2),
            Sighting { first_seen: at(NOW - 100), release: None, facts: Facts::default() },
        )]);
        let names = ["1.0", "1.1", "1.2", "1.3"];
        let mut admission = Admission::new(&gate, &held, &sightings, tags(&names), at(NOW));
        let (decisions, asked) = run(&mut admission, &[("1.0", 0), ("1.1", 1), ("1.2", 2), ("1.3", 3)], &[]);
        let until = at(NOW + 100);
        assert_eq!(verdict(&decisions, "1.3"), Verdict::Held { until });
        assert_eq!(verdict(&decisions, "1.2"), Verdict::Kept);
        assert_eq!(verdict(&decisions, "1.1"), Verdict::Kept, "it is here, and not asked for its age");
        assert_eq!(verdict(&decisions, "1.0"), Verdict::Removed { step: Step::Newest });
        let expected: Vec<_> = ["1.2", "1.3", "1.1", "1.0"].map(|name| Ask::Digest(tag(name))).into();
        assert_eq!(asked, expected, "the first two, and as many more as that, once one of them is too young");
        let seen = admission.sightings();
        assert_eq!(
            seen.keys().collect::<BTreeSet<_>>(),
            BTreeSet::from([&image(0), &image(3)]),
            "the others are known, or here"
        );
        assert_eq!(seen[&image(3)].first_seen, at(NOW));
    }

    #[test]
    fn a_moved_tag_waits_anew_and_an_image_that_is_here_under_another_name_has_its_clock() {
        let gate = gate(None, Some(json!({"mode": "enforce", "seconds": 100})));
        let held =
            BTreeMap::from([(tag("latest"), holding(image(1), 5, 1)), (tag("v2"), holding(image(2), NOW - 60, 1))]);
        let sightings = BTreeMap::new();
        let mut admission = Admission::new(&gate, &held, &sightings, tags(&["latest", "stable", "v2"]), at(NOW));
        let (decisions, _) = run(&mut admission, &[("latest", 3), ("stable", 2), ("v2", 2)], &[]);
        assert_eq!(verdict(&decisions, "latest"), Verdict::Held { until: at(NOW + 100) });
        assert_eq!(verdict(&decisions, "stable"), Verdict::Held { until: at(NOW + 40) });
        assert_eq!(verdict(&decisions, "v2"), Verdict::Kept);
    }

    #[test]
    fn a_registry_that_does_not_say_lets_nothing_in_and_takes_nothing_away() {
        let gate = gate(Some(json!({"newest": 1})), Some(json!({"mode": "enforce", "seconds": 100})));
        let held = BTreeMap::from([(tag("1.0"), holding(image(1), 5, 1))]);
        let sightings = BTreeMap::new();
        let mut admission = Admission::new(&gate, &held, &sightings, tags(&["1.0", "1.1"]), at(NOW));
        let (decisions, _) = run(&mut admission, &[("1.0", 1)], &[]);
        assert_eq!(verdict(&decisions, "1.1"), Verdict::Unknown { step: Step::MinAge });
        assert_eq!(verdict(&decisions, "1.0"), Verdict::Kept);
        assert!(admission.is_silent(&tag("1.1")));
    }

    #[test]
    fn images_are_looked_at_once_and_what_is_known_of_them_is_not_asked_again() {
        let gate = gate(Some(json!({"platforms": ["linux/amd64"], "max_size": 10})), None);
        let known = Facts { size: Some(5), platforms: Some(vec!["linux/amd64".parse().unwrap()]) };
        let large = Facts { size: Some(11), ..known.clone() };
        let arm = Facts { size: Some(1), platforms: Some(vec!["linux/arm64".parse().unwrap()]) };
        let sightings =
            BTreeMap::from([(image(1), Sighting { first_seen: at(1), release: None, facts: known.clone() })]);
        let held = BTreeMap::new();
        let names = ["a", "b", "c", "d", "e"];
        let mut admission = Admission::new(&gate, &held, &sightings, tags(&names), at(NOW));
        let registry = [("a", 1), ("b", 2), ("c", 2), ("d", 3), ("e", 4)];
        let (decisions, asked) = run(&mut admission, &registry, &[(2, large.clone()), (3, arm)]);
        assert_eq!(verdict(&decisions, "a"), Verdict::Kept);
        for name in ["b", "c"] {
            assert_eq!(verdict(&decisions, name), Verdict::Removed { step: Step::MaxSize });
        }
        assert_eq!(verdict(&decisions, "d"), Verdict::Removed { step: Step::Platforms });
        assert_eq!(verdict(&decisions, "e"), Verdict::Unknown { step: Step::Platforms }, "it could not be read");
        let facts = asked.iter().filter(|ask| matches!(ask, Ask::Facts(..))).count();
        assert_eq!(facts, 3, "once for each image that nothing is known of");
        let seen = admission.sightings();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[&image(2)].facts, large);
    }

    #[test]
    fn what_vanished_takes_no_place_but_may_be_without_one() {
        let gate = gate(Some(json!({"newest": 1})), None);
        let held = BTreeMap::from([
            (tag("1.0"), holding(image(1), 5, 1)),
            (tag("1.9"), holding(image(2), 5, 1)),
            (tag("1.5"), holding(image(3), 5, 1)),
        ]);
        let sightings = BTreeMap::new();
        let listed = (vec![tag("1.5")], vec![tag("1.0"), tag("1.9")]);
        let admission = Admission::new(&gate, &held, &sightings, listed, at(NOW));
        let (decisions, _) = admission.decide();
        assert_eq!(verdict(&decisions, "1.5"), Verdict::Kept);
        assert_eq!(verdict(&decisions, "1.0"), Verdict::Removed { step: Step::Newest });
        assert!(matches!(verdict(&decisions, "1.9"), Verdict::Held { .. }), "the rule would have it");
    }

    #[test]
    fn observing_lets_in_and_says_until_when_it_would_have_waited() {
        let gate = gate(None, Some(json!({"mode": "observe", "seconds": 100})));
        let (held, sightings) = (BTreeMap::new(), BTreeMap::new());
        let mut admission = Admission::new(&gate, &held, &sightings, tags(&["a"]), at(NOW));
        let (decisions, _) = run(&mut admission, &[("a", 1)], &[]);
        assert_eq!(verdict(&decisions, "a"), Verdict::Kept);
        assert_eq!(admission.observed(&tag("a")), Some(at(NOW + 100)));
        assert_eq!(admission.sightings().len(), 1, "its clock has begun");
    }

    #[test]
    fn a_tag_that_moves_to_an_image_that_does_not_fit_stays_what_it_is_here() {
        let gate = gate(Some(json!({"platforms": ["linux/amd64"]})), None);
        let arm = Facts { size: None, platforms: Some(vec!["linux/arm64".parse().unwrap()]) };
        let held = BTreeMap::from([(tag("v1"), holding(image(1), 5, 1)), (tag("v2"), holding(image(2), 5, 1))]);
        let sightings = BTreeMap::new();
        let mut admission = Admission::new(&gate, &held, &sightings, tags(&["v1", "v2", "v3"]), at(NOW));
        let registry = [("v1", 9), ("v2", 2), ("v3", 9)];
        let (decisions, _) = run(&mut admission, &registry, &[(9, arm.clone()), (2, arm)]);
        let stays =
            |name: &str| admission.stays(decisions.iter().find(|decision| decision.tag.as_str() == name).unwrap());
        assert_eq!([stays("v1"), stays("v2"), stays("v3")], [true, false, false], "moved; here and not wanted; new");
    }

    #[test]
    fn many_young_versions_take_few_rounds() {
        let gate = gate(Some(json!({"newest": 1})), Some(json!({"mode": "enforce", "seconds": 100})));
        let (held, sightings) = (BTreeMap::new(), BTreeMap::new());
        let names: Vec<_> = (0..1_000).map(|number| format!("1.{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut admission = Admission::new(&gate, &held, &sightings, tags(&names), at(NOW));
        let mut rounds = 0;
        loop {
            let (_, asks) = admission.decide();
            if asks.is_empty() {
                break;
            }
            rounds += 1;
            for ask in asks {
                let Ask::Digest(tag) = ask else { panic!("nothing has to be looked at") };
                admission.answer(tag.clone(), Some(Digest::sha256(tag.as_str().as_bytes())));
            }
        }
        assert!(rounds <= 12, "{rounds}");
    }
}
