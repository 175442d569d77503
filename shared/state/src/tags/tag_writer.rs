//! Writes of tags, by whoever has the right to change them: a claim or a lock. The right is checked in the same
//! transaction as each write. Writes that are asked for while a transaction is under way gather, and are the next one.

use std::{
    collections::{BTreeMap, BTreeSet},
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
/// The most digests that they list: with some 80 bytes for each, and twice where there is a past, they stay below the
/// 4 MB that DynamoDB takes.
const MOST_DIGESTS: usize = 15_000;

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
            let writes: BTreeMap<_, _> = open.iter().map(|(tag, write)| (tag, write)).collect();
            let written = match self.table.write_tags(&self.repository, self.right, &writes).await {
                Ok(()) => Written::Done,
                Err(TransitionError::State(error)) => Written::Failed(error),
                Err(_) => Written::Lost,
            };
            vec![written; open.len()]
        };
        match self.writes.ask((tag.clone(), write), together, write_all).await {
            Written::Done => Ok(()),
            Written::Lost => Err(TransitionError::ClaimLost),
            Written::Failed(error) => Err(error.into()),
        }
    }
}

/// How many go into one transaction: each tag once.
fn together(open: &[&(TagName, Write)]) -> usize {
    let (mut tags, mut items, mut digests) = (BTreeSet::new(), 0_usize, 0_usize);
    let mut fits = |(tag, write): &(TagName, Write)| {
        items = items.saturating_add(write.items());
        digests = digests.saturating_add(write.digests());
        tags.insert(tag.clone()) && (tags.len() == 1 || (items <= MOST_ITEMS && digests <= MOST_DIGESTS))
    };
    open.iter().position(|it| !fits(it)).unwrap_or(open.len())
}

#[cfg(test)]
mod tests {
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
}
