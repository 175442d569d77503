//! Who may have a blob. Four repositories: one that has it and is pruned; an heir of the same namespace, which is told
//! of it by a hint and may or may not get the bytes from its own registry; a claimant of another namespace, whose registry
//! names it and sends nothing; and a stranger who has it, or not.

use crate::{
    collector::{self, Bucket, Collector},
    explore::{self, explore},
    sync::{Repository, Rules, Step},
};

/// A rule that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// The link is written for whoever names the digest, and the bytes are asked for where the bucket lacks them.
    ProofBeforeLink,
    /// The heir takes the hint for the link that it speaks of.
    ProofByTheLink,
    /// The heir looks for the blob before it writes its own link.
    LinkFirst,
    /// The heir does not lift sentences: it has seen a link, after all.
    Rescue,
    /// The heir does not wait for a deletion.
    WaitForDeletion,
    /// Who fails leaves its link behind.
    RemoveLinks,
}

impl Without {
    fn rules(self) -> Rules {
        Rules {
            link_first: self != Self::LinkFirst,
            rescue: self != Self::Rescue,
            wait: self != Self::WaitForDeletion,
            patience: true,
        }
    }
}

/// What somebody does who wants the blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wish {
    /// Asks for the link that the hint speaks of.
    AskForLink,
    /// Asks the registry for the bytes.
    AskForBytes,
    /// Has proof, and goes through the protocol.
    Protocol(Step),
    /// Has failed, and takes its link back.
    Failed,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that is there or not")]
struct World {
    bucket: Bucket,
    /// The first repository's link.
    first: bool,
    /// The namespace had the blob when all began, or the heir has received it.
    entitled: bool,
    heir: (Repository, Wish),
    /// Whether the heir has the bytes in its hands.
    received: bool,
    claimant: (Repository, Wish),
    stranger: bool,
    collector: Collector,
}

impl World {
    fn start(first: bool, stranger: bool, is_condemned: bool) -> Self {
        let nothing = Repository::default();
        Self {
            bucket: Bucket::new(first || stranger, is_condemned),
            first,
            entitled: first,
            heir: (nothing, Wish::AskForLink),
            received: false,
            claimant: (nothing, Wish::AskForBytes),
            stranger,
            collector: Collector::new(2, collector::Rules::ALL),
        }
    }

    /// Prunes the first repository: it needs the blob no longer.
    fn prune(mut self) -> Option<Self> {
        std::mem::take(&mut self.first).then_some(self)
    }

    fn heir(mut self, without: Without) -> Vec<Self> {
        let (mut repository, wish) = self.heir;
        let steps = match wish {
            Wish::AskForLink if self.first || without == Without::ProofByTheLink => {
                vec![(Wish::Protocol(Step::Link), self.received)]
            }
            // Its registry has the bytes, or not.
            Wish::AskForLink => vec![(Wish::AskForBytes, false)],
            Wish::AskForBytes => vec![(Wish::Protocol(Step::Link), true), (Wish::Failed, false)],
            Wish::Protocol(Step::Missing) if self.received => {
                vec![(Wish::Protocol(Step::complete(&mut self.bucket, without.rules())), true)]
            }
            Wish::Protocol(Step::Missing) => vec![(Wish::Protocol(Step::Missing), true), (Wish::Failed, false)],
            Wish::Protocol(step) => {
                let next = step.take(&mut self.bucket, &mut repository, without.rules());
                next.map(|next| (Wish::Protocol(next), self.received)).into_iter().collect()
            }
            Wish::Failed => {
                repository.link &= without == Without::RemoveLinks;
                vec![(Wish::Over, false)]
            }
            Wish::Over => vec![],
        };
        let next = |(wish, received)| {
            let entitled = self.entitled || received;
            Self { heir: (repository, wish), received, entitled, ..self }
        };
        steps.into_iter().map(next).collect()
    }

    fn claimant(mut self, without: Without) -> Option<Self> {
        let (mut repository, wish) = self.claimant;
        let wish = match wish {
            Wish::AskForLink | Wish::AskForBytes if without == Without::ProofBeforeLink => Wish::Protocol(Step::Link),
            Wish::AskForLink | Wish::AskForBytes | Wish::Protocol(Step::Missing) => Wish::Failed,
            Wish::Protocol(step) => Wish::Protocol(step.take(&mut self.bucket, &mut repository, without.rules())?),
            Wish::Failed => {
                repository.link &= without == Without::RemoveLinks;
                Wish::Over
            }
            Wish::Over => return None,
        };
        self.claimant = (repository, wish);
        Some(self)
    }

    fn collect(self) -> Vec<Self> {
        let links = [self.heir.0.link, self.claimant.0.link, self.first, self.stranger];
        let steps = self.collector.steps(self.bucket, &links, collector::Rules::ALL);
        steps.into_iter().map(|(collector, bucket)| Self { bucket, collector, ..self }).collect()
    }
}

impl explore::World for World {
    type Without = Without;

    fn next(self, without: Without) -> Vec<Self> {
        let others = [self.prune(), self.claimant(without)].into_iter().flatten();
        self.heir(without).into_iter().chain(others).chain(self.collect()).collect()
    }

    fn is_broken(self) -> bool {
        let (heir, heirs_wish) = self.heir;
        let is_lost = heir.published && !self.bucket.blob;
        let is_stolen = self.claimant.0.link || self.claimant.0.published || (heir.link && !self.entitled);
        let is_left = heirs_wish == Wish::Over && heir.link;
        is_lost || is_stolen || is_left
    }
}

fn starts() -> Vec<World> {
    let mut starts = Vec::new();
    for first in [true, false] {
        for stranger in [true, false] {
            starts.extend([World::start(first, stranger, false), World::start(first, stranger, true)]);
        }
    }
    // Nobody has passed a sentence on what is not there.
    starts.retain(|start| start.bucket.blob || start.bucket.sentence.is_none());
    starts
}

#[test]
fn nobody_gets_what_they_did_not_prove_and_nobody_loses_it() {
    let (states, broken) = explore(starts(), Without::Nothing);
    assert!(!broken);
    assert!(states > 1_000, "{states} states are too few to be all");
}

#[test]
fn every_rule_is_needed() {
    for without in [
        Without::ProofBeforeLink,
        Without::ProofByTheLink,
        Without::LinkFirst,
        Without::Rescue,
        Without::WaitForDeletion,
        Without::RemoveLinks,
    ] {
        assert!(explore(starts(), without).1, "{without:?} makes no difference");
    }
}

#[test]
fn a_blob_that_its_heir_does_not_want_goes_at_last() {
    // The first repository is pruned, the claimant fails, and two collections of a collector pass.
    let mut world = World::start(true, false, false).prune().unwrap();
    while let Some(next) = world.claimant(Without::Nothing) {
        world = next;
    }
    while let Some(next) = world.collect().first() {
        world = *next;
    }
    assert!(!world.bucket.blob && world.bucket.sentence.is_none());
}
