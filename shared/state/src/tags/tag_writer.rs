//! Writes of tags, by whoever has the right to change them: a claim or a lock. The right is checked in the same
//! transaction as each write. Writes that are asked for while a transaction is under way gather, and are the next one.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use moorage_domain::{
    RepositoryName, TagName, Timestamp,
    plan::{HeldTag, Missing},
    signature_policy::Approval,
    usage_log::LogEntry,
};

use crate::{
    StateError, Table,
    mirrors::transition::TransitionError,
    tags::{
        skipped::SkippedTag,
        tag_write::{Right, Write},
    },
    together::{Crowd, Together},
    usage_log::Told,
};

/// The most items of one transaction: with the check of the right they stay below the 100 that DynamoDB takes.
const MOST_ITEMS: usize = 96;
/// The most digests that they list, of what tags are and were: with some 80 bytes for each, or 140 of SHA-512, they stay below
/// the 4 MB that DynamoDB takes.
const MOST_DIGESTS: usize = 25_000;

/// The tags of a repository, for one who may change them.
#[derive(Debug, Clone)]
pub struct Tags {
    table: Table,
    repository: RepositoryName,
    right: Right,
    writes: Arc<Together<(TagName, Write), Written>>,
}

/// What is recorded of a tag that points to something.
#[derive(Debug)]
pub struct Recorded {
    /// What it points to.
    pub held: HeldTag,
    /// Whether the table is known to have nothing of it: then nothing of its past has to be read.
    pub is_first: bool,
    /// What the usage log tells of it.
    pub log: Option<LogEntry>,
}

/// The result of a transaction, for each of its writes.
#[derive(Debug, Clone)]
enum Written {
    Done,
    Lost,
    Failed(StateError),
}

impl Table {
    /// The tags of a repository, for whoever has this right. Those who write are of a `crowd`.
    pub fn tags_by(&self, repository: &RepositoryName, right: Right, crowd: Crowd) -> Tags {
        let writes = Arc::new(Together::new(crowd, 1));
        Tags { table: self.clone(), repository: repository.clone(), right, writes }
    }
}

impl Tags {
    /// Records what a tag points to, after the bucket says so, and what it pointed to before.
    pub async fn put(&self, tag: &TagName, recorded: Recorded) -> Result<(), TransitionError> {
        let Recorded { held, is_first, log } = recorded;
        self.write(tag, Write::Put { held: Box::new(held), is_first, told: log.map(Told::new) }).await
    }

    /// Forgets a tag, after the bucket has, but for its past; with what the usage log tells of it.
    pub async fn delete(&self, tag: &TagName, log: Option<LogEntry>) -> Result<(), TransitionError> {
        self.write(tag, Write::Delete(log.map(Told::new))).await
    }

    /// Records when a tag was last seen upstream, and how often it has been missing since; or that the last complete sync
    /// saw it (`None`). One that is gone stays gone.
    pub async fn set_seen(
        &self,
        tag: &TagName,
        last_seen: Option<Timestamp>,
        missing: Option<Missing>,
    ) -> Result<(), TransitionError> {
        self.write(tag, Write::Seen(last_seen, missing)).await
    }

    /// Records who signed what a tag points to. One that is gone stays gone.
    pub async fn approve(&self, tag: &TagName, approval: Approval) -> Result<(), TransitionError> {
        self.write(tag, Write::Approve(Box::new(approval))).await
    }

    /// Records that a tag was skipped.
    pub async fn put_skipped(&self, tag: &TagName, skipped: SkippedTag) -> Result<(), TransitionError> {
        self.write(tag, Write::Skip(Box::new(skipped))).await
    }

    /// Forgets a tag that is not there to be skipped any more.
    pub async fn delete_skipped(&self, tag: &TagName) -> Result<(), TransitionError> {
        self.write(tag, Write::Unskip).await
    }

    /// Has something written, with what others have to be written.
    async fn write(&self, tag: &TagName, write: Write) -> Result<(), TransitionError> {
        let write_all = async |open: Vec<(TagName, Write)>| {
            let writes = open.iter().map(|(tag, write)| (tag, write));
            let before = match self.table.tags_before(&self.repository, writes).await {
                Ok(before) => before,
                Err(error) => return vec![Written::Failed(error); open.len()],
            };
            let (mut rest, mut all) = (&open[..], Vec::with_capacity(open.len()));
            while !rest.is_empty() {
                let (part, others) = rest.split_at(in_one(rest, &before));
                let written = match self.table.write_tags(&self.repository, self.right, part, &before).await {
                    Ok(()) => Written::Done,
                    Err(TransitionError::State(error)) => Written::Failed(error),
                    Err(_) => Written::Lost,
                };
                all.extend(vec![written; part.len()]);
                rest = others;
            }
            all
        };
        match self.writes.ask((tag.clone(), write), together, write_all).await {
            Written::Done => Ok(()),
            Written::Lost => Err(TransitionError::ClaimLost),
            Written::Failed(error) => Err(error.into()),
        }
    }
}

/// How many are written together, as far as it is known before what the tags were: each tag once.
fn together(open: &[&(TagName, Write)]) -> usize {
    let (mut tags, mut items, mut digests) = (BTreeSet::new(), 0_usize, 0_usize);
    let mut fits = |(tag, write): &(TagName, Write)| {
        items = items.saturating_add(write.items());
        digests = digests.saturating_add(write.digests(None));
        tags.insert(tag.clone()) && (tags.len() == 1 || (items <= MOST_ITEMS && digests <= MOST_DIGESTS))
    };
    open.iter().position(|it| !fits(it)).unwrap_or(open.len())
}

/// How many of those, at least one, go into one transaction, now that it is known what the tags were.
fn in_one(open: &[(TagName, Write)], before: &HashMap<TagName, HeldTag>) -> usize {
    let mut digests = 0_usize;
    let mut fits = |(tag, write): &(TagName, Write)| {
        digests = digests.saturating_add(write.digests(before.get(tag)));
        digests <= MOST_DIGESTS
    };
    open.iter().position(|it| !fits(it)).unwrap_or(open.len()).max(1)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use moorage_domain::{Digest, Generation, MediaType};

    use super::*;

    #[test]
    fn what_goes_together_has_each_tag_once() {
        let open = |tags: &[&str]| -> usize {
            let all: Vec<_> = tags.iter().map(|tag| (tag.parse().unwrap(), Write::Delete(None))).collect();
            together(&all.iter().collect::<Vec<_>>())
        };
        assert_eq!(open(&["a", "b", "a", "c"]), 2);
        assert_eq!(open(&["a", "c"]), 2);
        let many: Vec<_> = (0..100).map(|number| format!("t{number}")).collect();
        assert_eq!(open(&many.iter().map(String::as_str).collect::<Vec<_>>()), MOST_ITEMS / 2, "each has a past");
    }

    #[test]
    fn what_the_tags_were_counts_for_the_size_of_a_transaction() {
        let wide = |count: u32| HeldTag {
            digest: Digest::sha256(b""),
            media_type: MediaType::OciIndex,
            size: 1,
            first_seen: Timestamp::default(),
            last_seen: None,
            missing: None,
            source: None,
            architectures: Vec::new(),
            manifests: (0..count).map(|number| Digest::sha256(&number.to_be_bytes())).collect(),
            nested: Vec::new(),
            left_out: Vec::new(),
            reversion: false,
            generation: Generation::default(),
            link: None,
            approval: None,
        };
        let tag = |number: u32| TagName::from_str(&format!("t{number}")).unwrap();
        let put = |held: HeldTag| Write::Put { held: Box::new(held), is_first: false, told: None };
        let in_one = |now: u32, then: u32| -> usize {
            let before = (0..30).map(|number| (tag(number), wide(then))).collect();
            in_one(&(0..30).map(|number| (tag(number), put(wide(now)))).collect::<Vec<_>>(), &before)
        };
        assert_eq!(in_one(1, 1), 30);
        assert_eq!(in_one(1_999, 1), MOST_DIGESTS / 2_002);
        assert_eq!(in_one(1, 1_999), MOST_DIGESTS / 2_002, "also of those that list little now");
        assert_eq!(in_one(20_000, 20_000), 1, "one at least");
    }
}
