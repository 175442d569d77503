//! The lock of one repository, and all who take it: a collector that prunes, a sync, a tag that is set by hand, a mirror
//! that is made or ended (either writes the repository's state anew), and a purge, after which the name may be somebody
//! else's.
//!
//! The content below one manifest's link stands for everything: a tag without that link is a tag without content, because
//! collectors delete what has none.

use crate::explore::{self, explore};

/// A rule that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    LockByPrune,
    LockBySync,
    LockByHand,
    LockByCreation,
    LockByPurge,
    /// Whoever has the lock begins something although it is about to end.
    StopBeforeTheEnd,
    /// The lock is believed in by whoever took it once.
    LookAtTheLock,
    /// The hand publishes without a look at the link.
    LookAtTheLink,
    /// The name is free as soon as its purge is asked for.
    NameIsFreeAtLast,
    /// The collector goes by what it saw before it had the lock.
    LookUnderTheLock,
    /// What is taken while a purge is under way may be: the lock alone says so.
    RefuseWhatEnds,
}

impl Without {
    /// Whether somebody does without the lock.
    fn lets_off(self, who: Who) -> bool {
        matches!(
            (who, self),
            (Who::Prune, Self::LockByPrune)
                | (Who::Sync, Self::LockBySync)
                | (Who::Hand, Self::LockByHand)
                | (Who::Creation, Self::LockByCreation)
                | (Who::Purge, Self::LockByPurge)
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Prune,
    Sync,
    Hand,
    Creation,
    Purge,
}

/// How much time a lock has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Left {
    Enough,
    /// What is begun now may end too late.
    Little,
    /// Anybody may take it.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Lock,
    /// It reads what it decides by.
    Look,
    /// It has looked at its lock, and sends its request next.
    Send,
    Unlock,
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Actor {
    step: Step,
    /// What it has read: for a collector, whether a tag needs the link.
    read: bool,
    /// What a collector saw before it had the lock: what a tag needed then is left alone.
    seen: Option<bool>,
    /// It is about to send, having looked at its lock.
    sends: bool,
}

const IDLE: Actor = Actor { step: Step::Lock, read: false, seen: None, sends: false };

/// Whose a tag is: of the repository, or of the next one of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Tenant {
    First,
    Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct World {
    lock: Option<(Who, Left)>,
    link: bool,
    tag: Option<Tenant>,
    /// A purge was asked for.
    is_ending: bool,
    is_free: bool,
    /// The next repository of that name, once there is one.
    next: Option<Step>,
    prune: Actor,
    sync: Actor,
    hand: Actor,
    creation: Actor,
    purge: Actor,
}

impl World {
    fn start(link: bool, tag: Option<Tenant>) -> Self {
        Self {
            lock: None,
            link,
            tag,
            is_ending: false,
            is_free: false,
            next: None,
            prune: IDLE,
            sync: IDLE,
            hand: IDLE,
            creation: IDLE,
            purge: IDLE,
        }
    }

    fn actor(&mut self, who: Who) -> &mut Actor {
        match who {
            Who::Prune => &mut self.prune,
            Who::Sync => &mut self.sync,
            Who::Hand => &mut self.hand,
            Who::Creation => &mut self.creation,
            Who::Purge => &mut self.purge,
        }
    }

    /// Takes the lock.
    fn lock(mut self, who: Who, without: Without) -> Option<Self> {
        if who != Who::Purge && self.is_ending && without != Without::RefuseWhatEnds {
            return None;
        }
        if !without.lets_off(who) {
            if self.lock.is_some_and(|(_, left)| left != Left::None) {
                return None;
            }
            self.lock = Some((who, Left::Enough));
        }
        let seen = self.actor(who).seen;
        *self.actor(who) = Actor { step: Step::Look, seen, ..IDLE };
        Some(self)
    }

    /// Whether somebody may send a request that changes the bucket.
    fn may_send(&self, who: Who, without: Without) -> bool {
        let is_held = match self.lock {
            Some((holder, Left::Enough)) => holder == who,
            Some((holder, Left::Little)) => holder == who && without == Without::StopBeforeTheEnd,
            _ => false,
        };
        without.lets_off(who) || is_held || without == Without::LookAtTheLock
    }

    /// The next step of somebody who has the lock, or thinks so.
    fn go_on(mut self, who: Who, without: Without) -> Option<Self> {
        let actor = *self.actor(who);
        match actor.step {
            Step::Lock if who == Who::Purge && !self.is_ending => {
                self.is_ending = true;
                self.is_free |= without == Without::NameIsFreeAtLast;
                return Some(self);
            }
            // It locks only what has garbage.
            Step::Lock if who == Who::Prune && actor.seen.is_none() => {
                self.prune.seen = Some(self.tag.is_some());
            }
            Step::Lock => return self.lock(who, without),
            Step::Look => {
                // A collector and the hand decide by what they see now; the sync has received everything.
                let read = match who {
                    Who::Prune if without == Without::LookUnderTheLock => actor.seen == Some(true),
                    Who::Prune => self.tag.is_some() || actor.seen == Some(true),
                    Who::Hand => self.link || without == Without::LookAtTheLink,
                    Who::Sync | Who::Creation | Who::Purge => true,
                };
                if who == Who::Sync {
                    self.link = true;
                }
                *self.actor(who) = Actor { step: Step::Send, read, ..actor };
            }
            Step::Send if !actor.sends => {
                if !self.may_send(who, without) {
                    *self.actor(who) = Actor { step: Step::Unlock, ..actor };
                    return Some(self);
                }
                self.actor(who).sends = true;
            }
            Step::Send => {
                *self.actor(who) = Actor { step: Step::Unlock, sends: false, ..actor };
                self.send(who, actor.read);
            }
            Step::Unlock => {
                self.actor(who).step = Step::Done;
                if self.lock.is_some_and(|(holder, _)| holder == who) {
                    self.lock = None;
                }
            }
            Step::Done => return None,
        }
        Some(self)
    }

    /// What arrives at the bucket or the table.
    fn send(&mut self, who: Who, read: bool) {
        match who {
            Who::Prune => self.link &= read,
            Who::Sync => self.tag = Some(Tenant::First),
            Who::Hand if read => self.tag = Some(Tenant::First),
            Who::Hand => {}
            // A mirror's state is written whole, its lock included: nobody has it.
            Who::Creation => self.lock = None,
            Who::Purge => (self.tag, self.link, self.is_free) = (None, false, true),
        }
    }

    /// The next repository of that name: it is made, links what it received, publishes.
    fn next_tenant(mut self) -> Option<Self> {
        self.next = Some(match self.next {
            None if self.is_free => Step::Look,
            Some(Step::Look) => {
                self.link = true;
                Step::Send
            }
            Some(Step::Send) => {
                self.tag = Some(Tenant::Next);
                Step::Done
            }
            _ => return None,
        });
        Some(self)
    }

    /// A collector or a purge prolongs its lock, as long as it is one.
    fn prolong(mut self) -> Option<Self> {
        let (who, left) = self.lock?;
        let may = matches!(who, Who::Prune | Who::Purge) && left == Left::Little;
        self.lock = Some((who, Left::Enough));
        may.then_some(self)
    }

    /// Time passes for the lock. A request that was begun with enough time ends before the lock does.
    fn pass(mut self, without: Without) -> Option<Self> {
        let (who, left) = self.lock?;
        let left = match left {
            Left::Enough => Left::Little,
            Left::Little if !self.actor(who).sends || without == Without::StopBeforeTheEnd => Left::None,
            _ => return None,
        };
        self.lock = Some((who, left));
        Some(self)
    }
}

impl explore::World for World {
    type Without = Without;

    fn next(self, without: Without) -> Vec<Self> {
        let actors = [Who::Prune, Who::Sync, Who::Hand, Who::Creation, Who::Purge];
        let steps = actors.map(|who| self.go_on(who, without));
        steps.into_iter().chain([self.next_tenant(), self.pass(without), self.prolong()]).flatten().collect()
    }

    fn is_broken(self) -> bool {
        let is_empty = self.tag.is_some() && !self.link;
        // What the first repository published is served in the name of the next.
        let is_late = self.next.is_some() && self.tag == Some(Tenant::First);
        is_empty || is_late
    }
}

/// An image without a tag, which a collector would prune and a hand would tag; one with a tag; nothing.
fn starts() -> [World; 3] {
    [World::start(true, None), World::start(true, Some(Tenant::First)), World::start(false, None)]
}

#[test]
fn no_tag_is_without_content_and_none_outlives_its_repository() {
    let (states, broken) = explore(starts(), Without::Nothing);
    assert!(!broken);
    assert!(states > 1_000, "{states} states are too few to be all");
}

#[test]
fn every_rule_is_needed() {
    for without in [
        Without::LockByPrune,
        Without::LockBySync,
        Without::LockByHand,
        Without::LockByCreation,
        Without::LockByPurge,
        Without::StopBeforeTheEnd,
        Without::LookAtTheLock,
        Without::LookAtTheLink,
        Without::NameIsFreeAtLast,
        Without::LookUnderTheLock,
        Without::RefuseWhatEnds,
    ] {
        assert!(explore(starts(), without).1, "{without:?} makes no difference");
    }
}
