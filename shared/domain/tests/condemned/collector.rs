//! A collector, and the blob that it is after.

use std::time::Duration;

use moorage_domain::{
    Timestamp,
    condemned::{self, Verdict, judge},
};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Sentence {
    pub(crate) generation: u8,
    pub(crate) deleting: bool,
}

impl Sentence {
    /// As the code that is modelled has it, passed so long ago that the grace is over.
    pub(crate) fn real(self) -> condemned::Sentence {
        let generation = Uuid::from_u128(self.generation.into());
        condemned::Sentence { generation, since: Timestamp::from_unix(0), deleting: self.deleting }
    }
}

/// One blob in the bucket, and its sentence in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Bucket {
    pub(crate) blob: bool,
    pub(crate) sentence: Option<Sentence>,
    generations: u8,
}

impl Bucket {
    pub(crate) fn new(blob: bool, is_condemned: bool) -> Self {
        let sentence = is_condemned.then_some(Sentence { generation: 0, deleting: false });
        Self { blob, sentence, generations: 1 }
    }

    fn pass(&mut self, deleting: bool) {
        self.sentence = Some(Sentence { generation: self.generations, deleting });
        self.generations += 1;
    }
}

/// What a collector keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// It changes only the sentence that it has read.
    pub(crate) generation: bool,
    /// It lists the links after it has read the sentence.
    pub(crate) fresh_listing: bool,
}

impl Rules {
    pub(crate) const ALL: Self = Self { generation: true, fresh_listing: true };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Read,
    /// The links of this repository are listed next: a listing has many pages.
    List(usize),
    Judge,
    Delete,
    Forget,
    Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Collector {
    step: Step,
    collections: u8,
    read: Option<Sentence>,
    linked: bool,
}

impl Collector {
    /// With so many collections before it.
    pub(crate) fn new(collections: u8, rules: Rules) -> Self {
        let step = if rules.fresh_listing { Step::Read } else { Step::List(0) };
        Self { step, collections, read: None, linked: false }
    }

    /// Its next step, `links` being the repositories'; nothing if it is done.
    pub(crate) fn step(mut self, bucket: &mut Bucket, links: &[bool], rules: Rules) -> Option<Self> {
        let is_same = bucket.sentence == self.read || !rules.generation;
        self.step = match self.step {
            Step::Read => {
                self.read = bucket.sentence;
                if rules.fresh_listing { Step::List(0) } else { Step::Judge }
            }
            Step::List(at) => {
                self.linked |= links[at];
                match (at + 1 < links.len(), rules.fresh_listing) {
                    (true, _) => Step::List(at + 1),
                    (false, true) => Step::Judge,
                    (false, false) => Step::Read,
                }
            }
            Step::Judge => self.judge(bucket, is_same),
            Step::Delete => {
                bucket.blob = false;
                Step::Forget
            }
            Step::Forget => {
                if is_same {
                    bucket.sentence = None;
                }
                Step::Next
            }
            Step::Next if self.collections > 1 => return Some(Self::new(self.collections - 1, rules)),
            Step::Next => return None,
        };
        Some(self)
    }

    fn judge(&mut self, bucket: &mut Bucket, is_same: bool) -> Step {
        let read = self.read.map(Sentence::real);
        match judge(read.as_ref(), self.linked, Duration::ZERO, Timestamp::from_unix(1)) {
            Verdict::Condemn if bucket.sentence.is_none() && bucket.blob => bucket.pass(false),
            Verdict::Lift if is_same => bucket.sentence = None,
            Verdict::Delete if is_same && bucket.sentence.is_some() => {
                bucket.pass(true);
                self.read = bucket.sentence;
                return Step::Delete;
            }
            _ => {}
        }
        Step::Next
    }
}
