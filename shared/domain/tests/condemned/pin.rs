//! What a run has left, and is pinned: the image of one tag. A sync moves the tag, and may want the image again; what the tag was
//! is remembered for a while; a collector takes out of the repository what nobody needs, under its lock, and another one deletes
//! blobs that nothing links to. Whoever was told that the run is pinned has the image until it is unpinned; and then it goes.
//! There may be no time to look for it: then somebody is told that it is pinned, and what is there of it stays. Others may ask for
//! the same, beside whoever made the pin and after that: they look for it, too, and end no pin.
//!
//! What is remembered is forgotten by clocks. Where those agree, nothing is forgotten for a collector that is not for whoever
//! pins. Where they do not, no sync may bring the image again just then: the link that it writes ahead is nobody's yet.

use crate::{
    collector::{self, Bucket, Collector},
    explore::{self, explore},
    sync::{self, Repository, Step},
};

/// A rule that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// The collector does not heed pins.
    PinsAreNeeded,
    /// The collector goes by the pins that it saw before it had the lock.
    PinsUnderTheLock,
    /// A run is pinned although somebody has the lock.
    RefuseTheLocked,
    /// The content is looked for before the pin counts, and not after that.
    LookAfterwards,
    /// What tags were is read before what they are.
    HeldFirst,
    /// Nobody asks whether the moment was still remembered when the pin had begun to count.
    Remembered,
    /// Whoever finds that the image is gone ends the pin, although it is not theirs.
    OnlyTheirOwn,
    /// Whoever made the pin ends it, although somebody was told that it is pinned.
    OnlyIfUntold,
    /// Whoever was at work on a pin says so of another one that came since.
    SameSnapshot,
}

/// What a pin is made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Pinning {
    First,
    /// Half of the tags was read; whether the image was seen.
    Second(bool),
    /// Everything was read.
    Read(bool),
    Commit(bool),
    /// It counts.
    Remember(bool),
    Look(bool),
    /// Somebody was told that it is pinned, or that it cannot be.
    Told,
}

/// Somebody who asks for the same where there is a pin already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Asking {
    Begin,
    /// They know that the moment was remembered when it was a pin; which one it was.
    Look(u8),
    Told,
}

/// The collector that takes links out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Pruning {
    /// Without a lock.
    Begin,
    /// With the pins that it saw before.
    Lock(bool),
    Look(bool),
    /// With whether the image is needed.
    Send(bool),
    Unlock,
}

/// What a sync does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Syncing {
    Claim,
    Move,
    Release,
    ClaimAgain,
    Copy(Step),
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that is there or not")]
struct World {
    bucket: Bucket,
    repository: Repository,
    /// What the tag was is remembered.
    past: bool,
    /// So is the moment at which the run ended: what ended after it is remembered for longer.
    remembered: bool,
    /// The collector's clock is ahead.
    skewed: bool,
    /// By that clock what the tag was is forgotten.
    early: bool,
    locked: bool,
    claimed: bool,
    /// The run is pinned; whether the snapshot has the image.
    pin: Option<bool>,
    /// It is recorded that its moment was still remembered then.
    marked: bool,
    /// Somebody was told that it is pinned.
    told: bool,
    /// And that all of it is there, or what was there then was all.
    promised: bool,
    asking: Asking,
    pinning: Pinning,
    /// How often it may be unpinned, and pinned again.
    unpins: u8,
    pruning: (Pruning, u8),
    sweep: Collector,
    sync: Syncing,
}

impl World {
    /// Where the tag points to the image, or did; with a blob that may be condemned.
    fn start((published, past): (bool, bool), is_condemned: bool, skewed: bool) -> Self {
        Self {
            bucket: Bucket::new(true, is_condemned),
            skewed,
            early: false,
            repository: Repository { link: true, published },
            past,
            remembered: published || past,
            locked: false,
            claimed: false,
            pin: None,
            marked: false,
            told: false,
            promised: false,
            asking: Asking::Begin,
            pinning: Pinning::First,
            unpins: 1,
            pruning: (Pruning::Begin, 2),
            sweep: Collector::new(2, collector::Rules::ALL),
            sync: if published { Syncing::Claim } else { Syncing::ClaimAgain },
        }
    }

    fn is_there(&self) -> bool {
        self.repository.link && self.bucket.blob
    }

    /// Time passes: the moment is forgotten first, and then what ended after it.
    fn forget(mut self) -> Option<Self> {
        if self.skewed && !self.early {
            self.early = true;
            return Some(self);
        }
        (std::mem::take(&mut self.remembered) || std::mem::take(&mut self.past)).then_some(self)
    }

    /// Somebody is told that it is pinned: who has looked for it, or had no time to.
    fn tell(mut self, has_looked: bool, has: bool) -> Self {
        (self.marked, self.told) = (true, true);
        self.promised |= !has || has_looked || self.is_there();
        self
    }

    /// Somebody who asks for what is pinned already, and may have no time to look for it.
    fn ask(mut self, without: Without, has_time: bool) -> Option<Self> {
        self.asking = match (self.asking, self.pin) {
            (Asking::Begin, Some(_)) if self.marked || self.remembered => Asking::Look(self.unpins),
            (Asking::Look(which), Some(has)) if which == self.unpins || without == Without::SameSnapshot => {
                self.asking = Asking::Told;
                if !has_time || !has || self.is_there() {
                    return Some(self.tell(has_time, has));
                }
                // They are told that it is gone.
                self.pin = self.pin.filter(|_| without != Without::OnlyTheirOwn);
                Asking::Told
            }
            // They are told that nobody knows, or that it is none any more.
            (Asking::Begin, Some(_)) | (Asking::Look(_), _) => Asking::Told,
            (Asking::Begin, None) | (Asking::Told, _) => return None,
        };
        Some(self)
    }

    /// Whoever looks for what they have pinned may have no time to.
    fn has_no_time(mut self, without: Without) -> Option<Self> {
        let Pinning::Look(has) = self.pinning else { return None };
        self.pinning = Pinning::Told;
        Some(if self.pin.is_some() && without != Without::LookAfterwards { self.tell(false, has) } else { self })
    }

    fn pin(mut self, without: Without) -> Option<Self> {
        let held_first = without != Without::HeldFirst;
        let look = |world: &Self, has: bool| !has || world.is_there();
        self.pinning = match self.pinning {
            Pinning::First if self.pin.is_some() => return None,
            Pinning::First => Pinning::Second(if held_first { self.repository.published } else { self.past }),
            Pinning::Second(seen) => {
                Pinning::Read(seen || if held_first { self.past } else { self.repository.published })
            }
            Pinning::Read(has) if without == Without::LookAfterwards && !look(&self, has) => Pinning::Told,
            Pinning::Read(has) => Pinning::Commit(has),
            Pinning::Commit(_) if self.locked && without != Without::RefuseTheLocked => return None,
            Pinning::Commit(has) => {
                self.pin = Some(has);
                Pinning::Remember(has)
            }
            Pinning::Remember(_) if !self.remembered && without != Without::Remembered => {
                self.pin = self.pin.filter(|_| self.marked);
                Pinning::Told
            }
            Pinning::Remember(has) => Pinning::Look(has),
            Pinning::Look(has) => {
                self.pinning = Pinning::Told;
                if self.pin.is_none() {
                    return Some(self);
                }
                if without == Without::LookAfterwards || look(&self, has) {
                    return Some(self.tell(true, has));
                }
                self.pin = self.pin.filter(|_| self.marked && without != Without::OnlyIfUntold);
                Pinning::Told
            }
            Pinning::Told => return None,
        };
        Some(self)
    }

    /// Unpins what is pinned. Once it may be pinned again.
    fn unpin(mut self) -> Option<Self> {
        self.pin.take()?;
        (self.marked, self.told, self.promised) = (false, false, false);
        if self.unpins > 0 && self.pinning == Pinning::Told {
            (self.unpins, self.pinning) = (self.unpins - 1, Pinning::First);
        } else {
            self.pinning = Pinning::Told;
        }
        Some(self)
    }

    fn prune(mut self, without: Without) -> Option<Self> {
        let (step, left) = self.pruning;
        let step = match step {
            Pruning::Begin if left == 0 => return None,
            Pruning::Begin => Pruning::Lock(self.pin == Some(true)),
            Pruning::Lock(_) if self.locked || self.claimed => return None,
            Pruning::Lock(pinned) => {
                self.locked = true;
                Pruning::Look(pinned)
            }
            Pruning::Look(seen) => {
                let pinned = if without == Without::PinsUnderTheLock { seen } else { self.pin == Some(true) };
                let pinned = pinned && without != Without::PinsAreNeeded;
                Pruning::Send(self.repository.published || (self.past && !self.early) || pinned)
            }
            Pruning::Send(is_needed) => {
                self.repository.link &= is_needed;
                Pruning::Unlock
            }
            Pruning::Unlock => {
                self.locked = false;
                self.pruning = (Pruning::Begin, left - 1);
                return Some(self);
            }
        };
        self.pruning = (step, left);
        Some(self)
    }

    fn sync(mut self) -> Option<Self> {
        let rules = sync::Rules { link_first: true, rescue: true, wait: true, patience: true };
        self.sync = match self.sync {
            Syncing::Claim | Syncing::ClaimAgain if self.locked => return None,
            Syncing::Claim => {
                self.claimed = true;
                Syncing::Move
            }
            // With one write.
            Syncing::Move => {
                (self.repository.published, self.past) = (false, true);
                Syncing::Release
            }
            Syncing::Release => {
                self.claimed = false;
                Syncing::ClaimAgain
            }
            Syncing::ClaimAgain if self.skewed => return None,
            Syncing::ClaimAgain => {
                self.claimed = true;
                Syncing::Copy(Step::Link)
            }
            Syncing::Copy(Step::Missing) => Syncing::Copy(Step::complete(&mut self.bucket, rules)),
            Syncing::Copy(Step::Done) => {
                self.claimed = false;
                Syncing::Done
            }
            Syncing::Copy(step) => Syncing::Copy(step.take(&mut self.bucket, &mut self.repository, rules)?),
            Syncing::Done => return None,
        };
        Some(self)
    }

    fn sweep(self) -> Vec<Self> {
        let steps = self.sweep.steps(self.bucket, &[self.repository.link], collector::Rules::ALL);
        steps.into_iter().map(|(sweep, bucket)| Self { bucket, sweep, ..self }).collect()
    }

    /// Whether the image is gone after some collections, if nobody does anything else.
    fn goes(mut self) -> bool {
        self.pruning = (Pruning::Begin, 1);
        while let Some(next) = self.prune(Without::Nothing) {
            self = next;
        }
        self.sweep = Collector::new(3, collector::Rules::ALL);
        while let Some(next) = self.sweep().first() {
            self = *next;
        }
        !self.repository.link && !self.bucket.blob && self.bucket.sentence.is_none()
    }
}

impl explore::World for World {
    type Without = Without;

    fn next(self, without: Without) -> Vec<Self> {
        let others = [self.pin(without), self.unpin(), self.forget(), self.prune(without), self.sync()];
        let asking = [self.has_no_time(without), self.ask(without, true), self.ask(without, false)];
        let others = others.into_iter().chain(asking);
        others.into_iter().flatten().chain(self.sweep()).collect()
    }

    fn is_broken(self) -> bool {
        let is_wanted = self.repository.published || self.past || self.pin.is_some() || self.claimed;
        let is_being_deleted = self.bucket.sentence.is_some_and(|sentence| sentence.deleting);
        let is_lost = (self.repository.published || self.promised) && !self.is_there();
        is_lost
            || (self.told && self.pin.is_none())
            || (!is_wanted && !self.locked && !is_being_deleted && !self.goes())
    }
}

/// The tag points to the image; it has moved; it has moved long ago, and nothing is remembered. And in each of them the blob may
/// be condemned from before, and the collector's clock be ahead.
fn starts() -> Vec<World> {
    let mut starts = Vec::new();
    for tag in [(true, false), (false, true), (false, false)] {
        for skewed in [false, true] {
            starts.extend([false, true].map(|is_condemned| World::start(tag, is_condemned, skewed)));
        }
    }
    starts
}

#[test]
fn what_is_pinned_is_there_until_it_is_unpinned_and_then_it_goes() {
    let (states, broken) = explore(starts(), Without::Nothing);
    assert!(!broken);
    assert!(states > 10_000, "{states} states are too few to be all");
}

#[test]
fn every_rule_is_needed() {
    for without in [
        Without::PinsAreNeeded,
        Without::PinsUnderTheLock,
        Without::RefuseTheLocked,
        Without::LookAfterwards,
        Without::HeldFirst,
        Without::Remembered,
        Without::OnlyTheirOwn,
        Without::OnlyIfUntold,
        Without::SameSnapshot,
    ] {
        assert!(explore(starts(), without).1, "{without:?} makes no difference");
    }
}

#[test]
fn a_pin_outlasts_what_tags_are_remembered_for() {
    let mut world = World::start((true, false), false, false);
    while let Some(next) = world.pin(Without::Nothing) {
        world = next;
    }
    for _ in 0..3 {
        world = world.sync().expect("it moves the tag");
    }
    while let Some(next) = world.forget() {
        world = next;
    }
    assert!(world.promised && !world.goes(), "{world:?}");
    assert!(world.unpin().expect("it is pinned").goes());
}
