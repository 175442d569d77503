//! How a blob that nothing links to any more is deleted, although syncs may want it again at any moment.
//!
//! Links are the reference counts. To delete takes two collections, a grace apart: one **condemns** what has no link,
//! and later, if a **fresh** look still finds none, it changes the sentence from condemned to deleting by a
//! compare-and-swap on the sentence's generation, deletes, and forgets the sentence. A sync that wants a blob first
//! writes its **link**, then reads the sentence: one that is condemned it lifts by the same compare-and-swap, one that
//! is being deleted it waits for, and only then it looks whether the bucket has the blob. A collector that was killed
//! while it deleted leaves its sentence; whoever comes later than any function lives, collector or sync, ends it by the
//! same compare-and-swap. That is all for which a clock is trusted: the grace only spares work. The model in
//! `tests/condemned/` goes through every interleaving, and shows that no rule of these can be left out.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// How long after a collector began to delete somebody else may take that up: longer than any function lives, so that
/// nobody deletes late.
pub const TAKE_OVER: Duration = Duration::from_secs(20 * 60);

/// A blob's sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    /// Whoever passes or changes a sentence gives it a new one, and changes only the one that they have read.
    pub generation: Uuid,
    /// When it was passed or changed.
    pub since: Timestamp,
    /// Whether it is being carried out.
    pub deleting: bool,
}

impl Sentence {
    /// Until when its deletion may still happen: whoever began it is gone then, and has deleted or never will.
    pub fn deletes_until(&self) -> Timestamp {
        self.since.plus(TAKE_OVER)
    }
}

/// What a collector does with a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Keep,
    /// Condemn it.
    Condemn,
    /// Nothing yet.
    Wait,
    /// Lift the sentence: it is linked again.
    Lift,
    /// Delete it.
    Delete,
}

/// Judges a blob by the sentence that was read *before* the links were listed in which it is, or is not, `linked`.
pub fn judge(sentence: Option<&Sentence>, linked: bool, grace: Duration, now: Timestamp) -> Verdict {
    let Some(sentence) = sentence else {
        return if linked { Verdict::Keep } else { Verdict::Condemn };
    };
    let due = if sentence.deleting { sentence.deletes_until() } else { sentence.since.plus(grace) };
    match (linked, sentence.deleting) {
        (true, false) => Verdict::Lift,
        _ if now <= due => Verdict::Wait,
        (true, true) => Verdict::Lift,
        (false, _) => Verdict::Delete,
    }
}

/// What a sync does about a blob that it wants, and whose link it has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rescue {
    /// It is safe.
    Safe,
    /// Lift the sentence of this generation.
    Lift(Uuid),
    /// Wait: it is being deleted.
    Wait,
}

/// Judges a blob that a sync wants by the sentence that was read *after* its link was written.
pub fn rescue(sentence: Option<&Sentence>, now: Timestamp) -> Rescue {
    match sentence {
        None => Rescue::Safe,
        Some(sentence) if sentence.deleting && now <= sentence.deletes_until() => Rescue::Wait,
        Some(sentence) => Rescue::Lift(sentence.generation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let at = Timestamp::from_unix;
        let grace = Duration::from_secs(100);
        let sentence = |deleting| Some(Sentence { generation: Uuid::nil(), since: at(1_000), deleting });
        for (sentence, linked, now, verdict) in [
            (None, true, 0, Verdict::Keep),
            (None, false, 0, Verdict::Condemn),
            (sentence(false), true, 1_000, Verdict::Lift),
            (sentence(false), false, 1_100, Verdict::Wait),
            (sentence(false), false, 1_101, Verdict::Delete),
            (sentence(true), true, 1_101, Verdict::Wait),
            (sentence(true), false, 2_200, Verdict::Wait),
            (sentence(true), true, 2_201, Verdict::Lift),
            (sentence(true), false, 2_201, Verdict::Delete),
        ] {
            assert_eq!(judge(sentence.as_ref(), linked, grace, at(now)), verdict, "{sentence:?} {linked} {now}");
        }
        assert_eq!(rescue(None, at(0)), Rescue::Safe);
        assert_eq!(rescue(sentence(false).as_ref(), at(1_000)), Rescue::Lift(Uuid::nil()));
        assert_eq!(rescue(sentence(true).as_ref(), at(2_200)), Rescue::Wait);
        assert_eq!(rescue(sentence(true).as_ref(), at(2_201)), Rescue::Lift(Uuid::nil()), "its collector is gone");
    }
}
