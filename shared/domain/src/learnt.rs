//! What a run has learnt of its registry, for its next invocation: what was asked once is not asked again only because the
//! registry limits how often it is asked.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    Digest, ExternalReference, TagName, Timestamp,
    plan::Word,
    referrers::{MAX_WEIGHT, Referrer},
};

/// The most facts that are kept, about 10 MB of memory. What is beyond is asked for anew.
pub const MAX_FACTS: usize = 50_000;
/// How long facts are good for. A list that is older says too little of what is there now: everything is asked for anew,
/// and nothing is deleted by the old one.
pub const FACTS_LIFE: Duration = Duration::from_secs(86_400);

/// Facts of one registry, as one run has learnt them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learnt {
    /// Of which repository they are.
    reference: Option<ExternalReference>,
    /// When the first of them was learnt.
    since: Timestamp,
    /// When the list of tags was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    listed_at: Option<Timestamp>,
    /// `http` or `https`, where either would do.
    pub scheme: Option<String>,
    /// All tags that the registry lists.
    tags: Option<Vec<TagName>>,
    /// What tags point to.
    digests: BTreeMap<TagName, Digest>,
    /// What refers to manifests; nothing where the registry has no such list.
    referrers: BTreeMap<Digest, Option<Vec<Referrer>>>,
    /// What the registry says of tags that its list lacks.
    words: BTreeMap<TagName, Word>,
    /// How many facts there are, and how much the referrers weigh.
    facts: usize,
    weight: usize,
    /// How many facts were ever kept, each once.
    ever: u64,
}

impl Learnt {
    /// Nothing yet.
    pub fn new(reference: ExternalReference, now: Timestamp) -> Self {
        Self { reference: Some(reference), since: now, ..Self::default() }
    }

    /// What is still good of what earlier invocations have `known`, and how much that was, good or not: who learns only the
    /// same again gets nowhere.
    pub fn good_of(known: Option<Self>, reference: &ExternalReference, now: Timestamp) -> (Self, u64) {
        let before = known.as_ref().map_or(0, Self::count);
        let good = known.filter(|known| known.is_good(reference, now));
        (good.unwrap_or_else(|| Self::new(reference.clone(), now)), before)
    }

    /// Whether these are facts of this repository, and still good.
    pub fn is_good(&self, reference: &ExternalReference, now: Timestamp) -> bool {
        self.reference.as_ref() == Some(reference) && self.since <= now && now < self.since.plus(FACTS_LIFE)
    }

    /// How many facts were ever kept, without those that are to be asked anew: what tells whether a run gets anywhere.
    pub fn count(&self) -> u64 {
        self.ever
    }

    /// All tags that the registry lists.
    pub fn tags(&self) -> Option<&[TagName]> {
        self.tags.as_deref()
    }

    /// What a tag points to.
    pub fn digest(&self, tag: &TagName) -> Option<&Digest> {
        self.digests.get(tag)
    }

    /// What refers to a manifest.
    pub fn referrers(&self, subject: &Digest) -> Option<&Option<Vec<Referrer>>> {
        self.referrers.get(subject)
    }

    /// What the registry says of a tag that its list lacks.
    pub fn word(&self, tag: &TagName) -> Option<Word> {
        self.words.get(tag).copied()
    }

    /// When the list of tags was read.
    pub fn listed_at(&self) -> Option<Timestamp> {
        self.listed_at
    }

    /// Adds what the registry lists.
    pub fn listed(&mut self, tags: &[TagName], now: Timestamp) {
        if self.tags.is_none() {
            self.listed_at = Some(now);
            if self.has_room(tags.len()) {
                self.tags = Some(tags.to_vec());
            }
        }
    }

    /// Forgets which tags there are and what they point to, so that it is asked anew. Learning that again does not count.
    pub fn forget_tags(&mut self) {
        self.ever = self.ever.saturating_sub(u64::from(self.tags.is_some()).saturating_add(self.digests.len() as u64));
        let tags = self.tags.take().map_or(0, |tags| tags.len());
        self.facts = self.facts.saturating_sub(tags.saturating_add(self.digests.len()));
        self.digests.clear();
    }

    /// Forgets what a tag points to with which nothing is to be done any more: its place is another's.
    pub fn forget(&mut self, tag: &TagName) {
        if self.digests.remove(tag).is_some() {
            self.facts = self.facts.saturating_sub(1);
        }
    }

    /// Adds what a tag points to.
    pub fn resolved(&mut self, tag: &TagName, digest: &Digest) {
        if self.digests.contains_key(tag) || self.has_room(1) {
            self.digests.insert(tag.clone(), digest.clone());
        }
    }

    /// Adds what refers to a manifest.
    pub fn referred(&mut self, subject: &Digest, referrers: Option<&[Referrer]>) {
        let weight = referrers.into_iter().flatten().map(Referrer::weight).fold(self.weight, usize::saturating_add);
        if weight <= MAX_WEIGHT && !self.referrers.contains_key(subject) && self.has_room(1) {
            self.weight = weight;
            self.referrers.insert(subject.clone(), referrers.map(<[Referrer]>::to_vec));
        }
    }

    /// Adds what the registry says of a tag that its list lacks.
    pub fn said(&mut self, tag: &TagName, word: Word) {
        if self.words.contains_key(tag) || self.has_room(1) {
            self.words.insert(tag.clone(), word);
        }
    }

    /// Counts so many facts in, if the most is not exceeded.
    fn has_room(&mut self, facts: usize) -> bool {
        let all = self.facts.saturating_add(facts);
        let fits = all <= MAX_FACTS;
        if fits {
            self.facts = all;
            self.ever = self.ever.saturating_add(1);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> ExternalReference {
        text.parse().unwrap()
    }

    fn tag(n: usize) -> TagName {
        format!("t{n}").parse().unwrap()
    }

    #[test]
    fn facts_are_good_for_a_day_and_of_one_repository() {
        let at = Timestamp::from_unix;
        let learnt = Learnt::new(reference("quay.io/a/b"), at(1_000));
        for (of, now, expected) in [
            ("quay.io/a/b", 1_000, true),
            ("quay.io/a/b", 1_000 + 86_399, true),
            ("quay.io/a/b", 1_000 + 86_400, false),
            ("quay.io/a/b", 999, false),
            ("quay.io/a/c", 1_000, false),
        ] {
            assert_eq!(learnt.is_good(&reference(of), at(now)), expected, "{of} {now}");
        }
        assert!(!Learnt::default().is_good(&reference("quay.io/a/b"), at(0)));
    }

    #[test]
    fn what_was_learnt_is_read_again() {
        let mut learnt = Learnt::new(reference("quay.io/a/b"), Timestamp::from_unix(1_000));
        let digest = Digest::sha256(b"1");
        let referrer = Referrer {
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            digest: digest.clone(),
            size: 3,
            artifact_type: None,
            annotations: None,
        };
        learnt.listed(&[tag(1), tag(2)], Timestamp::from_unix(1_007));
        learnt.resolved(&tag(1), &digest);
        learnt.referred(&digest, Some(std::slice::from_ref(&referrer)));
        learnt.referred(&Digest::sha256(b"2"), None);
        learnt.said(&tag(3), Word::Unclear);
        let read: Learnt = serde_json::from_str(&serde_json::to_string(&learnt).unwrap()).unwrap();
        assert_eq!(read, learnt);
        assert_eq!((read.tags(), read.digest(&tag(1)), read.count()), (Some(&[tag(1), tag(2)][..]), Some(&digest), 5));
        assert_eq!(read.referrers(&digest), Some(&Some(vec![referrer])));
        assert_eq!(read.referrers(&Digest::sha256(b"2")), Some(&None));
        assert_eq!((read.word(&tag(3)), read.word(&tag(1))), (Some(Word::Unclear), None));
    }

    #[test]
    fn what_is_forgotten_leaves_its_place() {
        let (mut learnt, digest) = (Learnt::default(), Digest::sha256(b"1"));
        learnt.listed(&(0..MAX_FACTS - 2).map(tag).collect::<Vec<_>>(), Timestamp::from_unix(5));
        (0..3).for_each(|n| learnt.resolved(&tag(n), &digest));
        assert_eq!((learnt.digest(&tag(1)), learnt.digest(&tag(2))), (Some(&digest), None));
        learnt.forget(&tag(0));
        learnt.forget(&tag(7));
        learnt.resolved(&tag(2), &digest);
        assert_eq!((learnt.digest(&tag(0)), learnt.digest(&tag(2))), (None, Some(&digest)));
        learnt.said(&tag(9), Word::Gone);
        learnt.forget_tags();
        assert_eq!(
            (learnt.tags(), learnt.digest(&tag(2)), learnt.listed_at()),
            (None, None, Some(Timestamp::from_unix(5)))
        );
        let all: Vec<_> = (0..MAX_FACTS).map(tag).collect();
        learnt.listed(&all, Timestamp::from_unix(9));
        assert_eq!((learnt.tags(), learnt.listed_at()), (Some(&all[..]), Some(Timestamp::from_unix(9))));
    }

    #[test]
    fn who_learns_the_same_again_gets_nowhere() {
        let at = |seconds: i64| Timestamp::from_unix(1_000 + seconds);
        let (app, digest) = (reference("quay.io/a/b"), Digest::sha256(b"1"));
        let learn = |mut learnt: Learnt, now| {
            learnt.listed(&[tag(1), tag(2)], now);
            learnt.resolved(&tag(1), &digest);
            learnt
        };
        let (new, before) = Learnt::good_of(None, &app, at(0));
        let first = learn(new, at(0));
        assert_eq!((before, first.count()), (0, 2));
        let (mut good, before) = Learnt::good_of(Some(first.clone()), &app, at(86_399));
        assert_eq!((&good, before), (&first, 2));
        good.forget_tags();
        assert_eq!(learn(good, at(86_399)).count(), before);
        let (stale, before) = Learnt::good_of(Some(first), &app, at(86_400));
        assert_eq!((stale.tags(), before), (None, 2));
        assert_eq!(learn(stale, at(86_400)).count(), before);
    }

    #[test]
    fn no_registry_fills_the_memory() {
        let mut learnt = Learnt::default();
        learnt.listed(&(0..=MAX_FACTS).map(tag).collect::<Vec<_>>(), Timestamp::default());
        assert_eq!(learnt.tags(), None, "it is asked for anew");
        let digest = Digest::sha256(b"1");
        (0..MAX_FACTS + 5).for_each(|n| learnt.resolved(&tag(n), &digest));
        assert_eq!(
            (learnt.digests.len(), learnt.count()),
            (MAX_FACTS, MAX_FACTS as u64),
            "what is not kept is no gain"
        );
        learnt.resolved(&tag(1), &Digest::sha256(b"2"));
        assert_eq!(learnt.count(), MAX_FACTS as u64, "nor is what is said again");
        assert_eq!(learnt.digest(&tag(1)), Some(&Digest::sha256(b"2")));
    }
}
