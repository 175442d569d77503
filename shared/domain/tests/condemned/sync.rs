//! How a sync brings one blob into one repository, from the moment at which it may have it.

use moorage_domain::condemned::{Rescue, rescue};

use crate::collector::{Bucket, Sentence, now};

/// What a sync keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule that is kept or not")]
pub(crate) struct Rules {
    /// It writes the link before it looks at anything.
    pub(crate) link_first: bool,
    /// It lifts sentences.
    pub(crate) rescue: bool,
    /// It waits for a deletion.
    pub(crate) wait: bool,
    /// It takes only a deletion over whose collector is gone.
    pub(crate) patience: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Link,
    Read,
    /// The sentence of this generation is lifted next. Reading and lifting are two steps for the table.
    Lift(u8),
    Look,
    /// The bucket lacks the blob: the sync has to have received it.
    Missing,
    LateLink,
    Publish,
    Done,
}

/// The repository's side: its link, and whether what references the blob is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Repository {
    pub(crate) link: bool,
    pub(crate) published: bool,
}

impl Step {
    /// The next step; nothing if the sync is done, waits, or needs bytes.
    pub(crate) fn take(self, bucket: &mut Bucket, repository: &mut Repository, rules: Rules) -> Option<Self> {
        let found = if rules.link_first { Self::Publish } else { Self::LateLink };
        Some(match self {
            Self::Link => {
                repository.link |= rules.link_first;
                Self::Read
            }
            Self::Read => match rescue(bucket.sentence.map(Sentence::real).as_ref(), now()) {
                Rescue::Wait if rules.wait && rules.patience => return None,
                Rescue::Lift(_) if rules.rescue => Self::lift(bucket.sentence),
                Rescue::Wait if rules.wait => Self::lift(bucket.sentence),
                _ => Self::Look,
            },
            Self::Lift(generation) if bucket.sentence.is_some_and(|it| it.generation == generation) => {
                bucket.sentence = None;
                Self::Look
            }
            // Lost: somebody else changed the sentence, so it is read again.
            Self::Lift(_) => Self::Read,
            Self::Look if bucket.blob => found,
            Self::Look => Self::Missing,
            Self::LateLink => {
                repository.link = true;
                Self::Publish
            }
            Self::Publish => {
                repository.published = true;
                Self::Done
            }
            Self::Missing | Self::Done => return None,
        })
    }

    fn lift(sentence: Option<Sentence>) -> Self {
        sentence.map_or(Self::Look, |sentence| Self::Lift(sentence.generation))
    }

    /// Completes the upload of what was received.
    pub(crate) fn complete(bucket: &mut Bucket, rules: Rules) -> Self {
        bucket.blob = true;
        if rules.link_first { Self::Publish } else { Self::LateLink }
    }
}
