//! What a run has learnt of its registry, for its next invocation.

use moorage_domain::{
    RepositoryName, Timestamp,
    learnt::{FACTS_LIFE, Learnt},
    run::{Run, RunId},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    key::{Key, learnt_prefix, repository_pk},
    mirrors::transition::TransitionError,
};

/// Bytes in one item: well below DynamoDB's 400 KB.
const PART: usize = 256 * 1024;
/// The most parts: with digests of some hundred bytes each, more than the facts are that are kept.
const MAX_PARTS: usize = 64;

/// A part of the facts, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Which invocation of the run wrote it.
    attempt: u32,
    number: usize,
    /// How many there are.
    of: usize,
    pub(crate) text: String,
    expires_at: Timestamp,
}

impl Table {
    /// Keeps what a run has learnt, by whom `claim` is for. What is too much to be kept is not.
    pub async fn put_learnt(
        &self,
        repository: &RepositoryName,
        (run, learnt): (&Run, &Learnt),
        claim: Uuid,
        now: Timestamp,
    ) -> Result<(), TransitionError> {
        let text = serde_json::to_string(learnt).map_err(|error| StateError::Unavailable(error.to_string()))?;
        for part in parts(&text, run.invocations, now.plus(FACTS_LIFE)) {
            let number = u32::try_from(part.number).unwrap_or(u32::MAX);
            self.put_claimed(repository, claim, Key::Learnt(repository, run.run_id, number), &part).await?;
        }
        Ok(())
    }

    /// What a run has learnt, if its last invocation came to write all of it.
    pub async fn learnt(&self, repository: &RepositoryName, run: RunId) -> Result<Option<Learnt>, StateError> {
        let parts: Vec<Part> = self.all(repository_pk(repository), &learnt_prefix(run)).await?;
        // What cannot be read is learnt anew.
        Ok(whole(&parts).and_then(|text| serde_json::from_str(&text).ok()))
    }
}

/// The parts of a text; none if they are too many.
fn parts(text: &str, attempt: u32, expires_at: Timestamp) -> impl Iterator<Item = Part> {
    let (mut rest, mut texts) = (text, Vec::new());
    while !rest.is_empty() {
        let end = (0..=PART.min(rest.len())).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        let (part, left) = rest.split_at(end);
        texts.push(part);
        rest = left;
    }
    let of = texts.len();
    if of > MAX_PARTS {
        texts.clear();
    }
    // Each is copied when it is its turn to be written.
    let part = move |(number, text): (usize, &str)| Part { attempt, number, of, text: text.to_owned(), expires_at };
    texts.into_iter().enumerate().map(part)
}

/// The text of the parts that the last attempt wrote, if all of them are there.
fn whole(parts: &[Part]) -> Option<String> {
    let last = parts.iter().map(|part| part.attempt).max()?;
    let mut ours: Vec<_> = parts.iter().filter(|part| part.attempt == last).collect();
    ours.sort_unstable_by_key(|part| part.number);
    let is_whole = ours.iter().enumerate().all(|(number, part)| part.number == number && part.of == ours.len());
    is_whole.then(|| ours.iter().map(|part| part.text.as_str()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_in_parts_is_read_whole_or_not_at_all() {
        let at = Timestamp::from_unix(1);
        let text = "é".repeat(PART);
        let written: Vec<_> = parts(&text, 2, at).collect();
        assert!(written.len() > 1 && written.iter().all(|part| part.text.len() <= PART));
        assert_eq!(whole(&written).as_ref(), Some(&text));
        // What an earlier attempt wrote beyond that is not seen; and where the last one was killed, there is nothing.
        let earlier: Vec<_> = parts(&"x".repeat(5 * PART), 1, at).collect();
        let mixed: Vec<_> = written.iter().chain(&earlier[written.len()..]).cloned().collect();
        assert_eq!(whole(&mixed), Some(text));
        let killed: Vec<_> = written[..1].iter().chain(&earlier[1..]).cloned().collect();
        assert_eq!((whole(&killed), whole(&[])), (None, None));
        assert_eq!(parts(&"x".repeat(MAX_PARTS * PART + 1), 1, at).count(), 0);
    }
}
