//! The garbage protocol, gone through exhaustively: one sync that publishes an image with one blob, two collectors of
//! two rounds each that know nothing of each other, every interleaving of their steps, and each of them may stop for
//! ever at any step. No published image ever lacks its blob; and with any one rule removed, some interleaving shows one
//! that does.
//!
//! Time is left out: the grace is over whenever a collector likes, which allows more than real clocks do. Only the
//! take-over of an abandoned deletion is left to time ([`TAKE_OVER`](moorage_domain::condemned::TAKE_OVER) outlives every
//! function), so here it does not happen.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use moorage_domain::{
    Timestamp,
    condemned::{self, Rescue, Verdict, judge, rescue},
};
use uuid::Uuid;

/// A rule that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// The collector changes whatever sentence there is, instead of the one that it has read.
    Generation,
    /// The collector lists links before it reads the sentence.
    FreshListing,
    /// The sync writes the link last.
    LinkFirst,
    /// The sync does not lift sentences.
    Rescue,
    /// The sync does not wait for a deletion.
    WaitForDeletion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Sentence {
    generation: u8,
    deleting: bool,
}

impl Sentence {
    /// As the code that is modelled has it, passed so long ago that the grace is over.
    fn real(self) -> condemned::Sentence {
        let generation = Uuid::from_u128(self.generation.into());
        condemned::Sentence { generation, since: Timestamp::from_unix(0), deleting: self.deleting }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Collector {
    step: u8,
    rounds: u8,
    read: Option<Sentence>,
    linked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Sync {
    step: u8,
    has_blob: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct World {
    blob: bool,
    link: bool,
    published: bool,
    sentence: Option<Sentence>,
    generations: u8,
    sync: Sync,
    collectors: [Collector; 2],
}

impl World {
    fn start(blob: bool, sentence: Option<Sentence>) -> Self {
        let collector = Collector { step: 0, rounds: 2, read: None, linked: false };
        Self {
            blob,
            link: false,
            published: false,
            sentence,
            generations: 1,
            sync: Sync { step: 0, has_blob: false },
            collectors: [collector; 2],
        }
    }

    /// The sync's next step; nothing if it is done or waits.
    fn sync(mut self, without: Without) -> Vec<Self> {
        let step = self.sync.step;
        self.sync.step += 1;
        match (step, without) {
            (0, _) => self.link = without != Without::LinkFirst,
            // Reading the sentence and lifting it are two steps for the table; what is read is kept in the step.
            (1, _) => match rescue(self.sentence.map(Sentence::real).as_ref()) {
                Rescue::Wait if without != Without::WaitForDeletion => return Vec::new(),
                Rescue::Lift(_) if without != Without::Rescue => {
                    self.sync.step = 10 + self.sentence.map_or(0, |sentence| sentence.generation);
                }
                _ => {}
            },
            (lift @ 10.., _) => {
                // Lost: somebody else changed the sentence, so it is read again.
                self.sync.step = 1;
                if self.sentence == Some(Sentence { generation: lift - 10, deleting: false }) {
                    self.sentence = None;
                    self.sync.step = 2;
                }
            }
            (2, _) => self.sync.has_blob = self.blob,
            (3, _) => self.blob = true,
            (4, _) => self.link = true,
            (5, _) => self.published = true,
            _ => return Vec::new(),
        }
        if step == 2 && self.sync.has_blob {
            self.sync.step = 4;
        }
        vec![self]
    }

    /// A collector's next step.
    fn collect(mut self, index: usize, without: Without) -> Vec<Self> {
        let mut collector = self.collectors[index];
        let (first, second) = if without == Without::FreshListing { (1, 0) } else { (0, 1) };
        match collector.step {
            step if step == first => collector.read = self.sentence,
            step if step == second => collector.linked = self.link,
            2 => {
                let same = self.sentence == collector.read || without == Without::Generation;
                let read = collector.read.map(Sentence::real);
                match judge(read.as_ref(), collector.linked, Duration::ZERO, Timestamp::from_unix(1)) {
                    Verdict::Condemn if self.sentence.is_none() && self.blob => {
                        self.sentence = Some(Sentence { generation: self.generations, deleting: false });
                        self.generations += 1;
                    }
                    Verdict::Lift if same => self.sentence = None,
                    Verdict::Delete if same && self.sentence.is_some() => {
                        let generation = self.generations;
                        self.generations += 1;
                        self.sentence = Some(Sentence { generation, deleting: true });
                        collector = Collector { step: 3, read: self.sentence, ..collector };
                        self.collectors[index] = collector;
                        return vec![self];
                    }
                    _ => {}
                }
                collector.step = 5;
            }
            3 => self.blob = false,
            4 => {
                if self.sentence == collector.read || without == Without::Generation {
                    self.sentence = None;
                }
            }
            5 => {
                if collector.rounds == 1 {
                    return Vec::new();
                }
                collector = Collector { step: 0, rounds: collector.rounds - 1, read: None, linked: false };
                self.collectors[index] = collector;
                return vec![self];
            }
            _ => return Vec::new(),
        }
        collector.step += u8::from(collector.step < 5);
        self.collectors[index] = collector;
        vec![self]
    }

    /// Every state that one step of somebody leads to. Whoever stops for ever simply takes no more steps.
    fn next(self, without: Without) -> Vec<Self> {
        let collectors = (0..2).flat_map(|index| self.collect(index, without));
        self.sync(without).into_iter().chain(collectors).collect()
    }

    fn is_broken(self) -> bool {
        self.published && !self.blob
    }
}

/// How many states there are, and whether one of them is broken.
fn explore(without: Without) -> (usize, bool) {
    let condemned = Some(Sentence { generation: 0, deleting: false });
    let starts = [World::start(true, None), World::start(true, condemned), World::start(false, None)];
    let (mut seen, mut open, mut broken) = (HashSet::new(), VecDeque::from(starts), false);
    while let Some(world) = open.pop_front() {
        if seen.insert(world) {
            broken |= world.is_broken();
            open.extend(world.next(without));
        }
    }
    (seen.len(), broken)
}

#[test]
fn no_interleaving_loses_a_published_blob() {
    let (states, broken) = explore(Without::Nothing);
    assert!(!broken);
    assert!(states > 1_000, "{states} states are too few to be all");
}

#[test]
fn every_rule_is_needed() {
    for without in
        [Without::Generation, Without::FreshListing, Without::LinkFirst, Without::Rescue, Without::WaitForDeletion]
    {
        assert!(explore(without).1, "{without:?} makes no difference");
    }
}

#[test]
fn garbage_goes_if_nobody_wants_it() {
    // Two rounds of one collector, and a sync that never begins.
    let mut world = World::start(true, None);
    while let Some(next) = world.collect(0, Without::Nothing).pop() {
        world = next;
    }
    assert!(!world.blob && world.sentence.is_none());
}
