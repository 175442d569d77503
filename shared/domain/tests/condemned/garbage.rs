//! One sync that publishes an image with one blob, and two collectors of two collections each, any of which may be killed
//! while it deletes.

use crate::{
    collector::{self, Bucket, Collector},
    explore::{self, explore},
    sync::{self, Repository, Step},
};

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
    /// The sync takes a deletion over whose collector is still there.
    Patience,
}

impl Without {
    fn collector(self) -> collector::Rules {
        collector::Rules { generation: self != Self::Generation, fresh_listing: self != Self::FreshListing }
    }

    fn sync(self) -> sync::Rules {
        sync::Rules {
            link_first: self != Self::LinkFirst,
            rescue: self != Self::Rescue,
            wait: self != Self::WaitForDeletion,
            patience: self != Self::Patience,
        }
    }
}

/// The sync has received the blob and hashed it: its upload only has to be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct World {
    bucket: Bucket,
    repository: Repository,
    sync: Step,
    collectors: [Collector; 2],
}

impl World {
    fn start(blob: bool, is_condemned: bool, without: Without) -> Self {
        let collectors = [Collector::new(2, without.collector()); 2];
        let bucket = Bucket::new(blob, is_condemned);
        Self { bucket, repository: Repository::default(), sync: Step::Link, collectors }
    }

    fn sync(mut self, without: Without) -> Option<Self> {
        self.sync = match self.sync {
            Step::Missing => Step::complete(&mut self.bucket, without.sync()),
            step => step.take(&mut self.bucket, &mut self.repository, without.sync())?,
        };
        Some(self)
    }

    fn collect(self, index: usize, without: Without) -> Vec<Self> {
        let steps = self.collectors[index].steps(self.bucket, &[self.repository.link], without.collector());
        let world = |(collector, bucket)| {
            let mut world = Self { bucket, ..self };
            world.collectors[index] = collector;
            world
        };
        steps.into_iter().map(world).collect()
    }

    fn kill(mut self, index: usize) -> Option<Self> {
        self.collectors[index] = self.collectors[index].die(&mut self.bucket)?;
        Some(self)
    }
}

impl explore::World for World {
    type Without = Without;

    fn next(self, without: Without) -> Vec<Self> {
        let collectors = (0..2).flat_map(|index| self.collect(index, without));
        let killed = (0..2).filter_map(|index| self.kill(index));
        self.sync(without).into_iter().chain(collectors).chain(killed).collect()
    }

    fn is_broken(self) -> bool {
        self.repository.published && !self.bucket.blob
    }
}

fn go_through(without: Without) -> (usize, bool) {
    explore(
        [(true, false), (true, true), (false, false)]
            .map(|(blob, is_condemned)| World::start(blob, is_condemned, without)),
        without,
    )
}

#[test]
fn no_interleaving_loses_a_published_blob() {
    let (states, broken) = go_through(Without::Nothing);
    assert!(!broken);
    assert!(states > 1_000, "{states} states are too few to be all");
}

#[test]
fn every_rule_is_needed() {
    for without in [
        Without::Generation,
        Without::FreshListing,
        Without::LinkFirst,
        Without::Rescue,
        Without::WaitForDeletion,
        Without::Patience,
    ] {
        assert!(go_through(without).1, "{without:?} makes no difference");
    }
}

#[test]
fn garbage_goes_if_nobody_wants_it() {
    // Two collections of one collector, and a sync that never begins.
    let mut world = World::start(true, false, Without::Nothing);
    while let Some(next) = world.collect(0, Without::Nothing).first() {
        world = *next;
    }
    assert!(!world.bucket.blob && world.bucket.sentence.is_none());
}

#[test]
fn a_deletion_that_its_collector_has_left_keeps_no_sync_out() {
    // Killed at the deletion, and after it: the sync publishes alone, without another collector.
    for steps in [4, 5] {
        let mut world = World::start(true, true, Without::Nothing);
        for _ in 0..steps - 1 {
            world = world.collect(0, Without::Nothing)[0];
        }
        world = world.kill(0).expect("it deletes");
        assert_eq!(world.bucket.blob, steps == 4);
        while let Some(next) = world.sync(Without::Nothing) {
            world = next;
        }
        assert!(world.repository.published && world.bucket.blob && world.bucket.sentence.is_none(), "{world:?}");
    }
}
