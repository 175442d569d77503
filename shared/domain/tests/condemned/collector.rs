//! A collector, and the blob that it is after.

use std::time::Duration;

use moorage_domain::{
    Timestamp,
    condemned::{self, TAKE_OVER, Verdict, judge},
};
use uuid::Uuid;

/// The moment at which everything happens: so late that every grace is over, and what was abandoned may be taken over.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(1).plus(TAKE_OVER)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Sentence {
    pub(crate) generation: u8,
    pub(crate) deleting: bool,
    /// Whether the collector that was to delete is gone, and has been for so long that this shows.
    abandoned: bool,
}

impl Sentence {
    /// As the code that is modelled has it: passed long ago, but for one that is carried out now.
    pub(crate) fn real(self) -> condemned::Sentence {
        let since = if self.deleting && !self.abandoned { now() } else { Timestamp::from_unix(0) };
        condemned::Sentence { generation: Uuid::from_u128(self.generation.into()), since, deleting: self.deleting }
    }
}

/// Whether the table takes one sentence for the other: it compares generations.
pub(crate) fn is_same(one: Option<Sentence>, other: Option<Sentence>) -> bool {
    one.map(|it| it.generation) == other.map(|it| it.generation)
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
        let sentence = is_condemned.then_some(Sentence { generation: 0, deleting: false, abandoned: false });
        Self { blob, sentence, generations: 1 }
    }

    fn pass(&mut self, deleting: bool) {
        self.sentence = Some(Sentence { generation: self.generations, deleting, abandoned: false });
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

/// The most repositories of a model.
const REPOSITORIES: usize = 4;

/// Nothing was listed yet.
const UNLISTED: Step = Step::List([false; REPOSITORIES]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Read,
    /// The links of these repositories were listed: a listing has many pages, which come in any order.
    List([bool; REPOSITORIES]),
    Judge,
    Delete,
    Forget,
    Next,
    Gone,
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
        let step = if rules.fresh_listing { Step::Read } else { UNLISTED };
        Self { step, collections, read: None, linked: false }
    }

    /// It is killed while it deletes, before that or after it. Nobody takes a sentence for abandoned whose collector is there.
    pub(crate) fn die(mut self, bucket: &mut Bucket) -> Option<Self> {
        if !matches!(self.step, Step::Delete | Step::Forget) {
            return None;
        }
        self.step = Step::Gone;
        if is_same(bucket.sentence, self.read)
            && let Some(sentence) = &mut bucket.sentence
        {
            sentence.abandoned = true;
        }
        Some(self)
    }

    /// What its next step may be, `links` being the repositories'; nothing if it is done.
    pub(crate) fn steps(self, bucket: Bucket, links: &[bool], rules: Rules) -> Vec<(Self, Bucket)> {
        if let Step::List(listed) = self.step {
            let open = (0..links.len()).filter(|at| !listed[*at]);
            return open.map(|at| (self.list(listed, at, links, rules), bucket)).collect();
        }
        let mut bucket = bucket;
        self.step(&mut bucket, rules).map(|collector| (collector, bucket)).into_iter().collect()
    }

    /// Lists one repository more.
    fn list(mut self, mut listed: [bool; REPOSITORIES], at: usize, links: &[bool], rules: Rules) -> Self {
        self.linked |= links[at];
        listed[at] = true;
        self.step = match (listed[..links.len()].contains(&false), rules.fresh_listing) {
            (true, _) => Step::List(listed),
            (false, true) => Step::Judge,
            (false, false) => Step::Read,
        };
        self
    }

    fn step(mut self, bucket: &mut Bucket, rules: Rules) -> Option<Self> {
        let is_same = is_same(bucket.sentence, self.read) || !rules.generation;
        self.step = match self.step {
            Step::Read => {
                self.read = bucket.sentence;
                if rules.fresh_listing { UNLISTED } else { Step::Judge }
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
            Step::List(_) | Step::Next | Step::Gone => return None,
        };
        Some(self)
    }

    fn judge(&mut self, bucket: &mut Bucket, is_same: bool) -> Step {
        let read = self.read.map(Sentence::real);
        match judge(read.as_ref(), self.linked, Duration::ZERO, now()) {
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
