//! Writes of tags, by whoever has the right to change them: a claim or a lock. The right is checked in the same
//! transaction as each write. Writes that are asked for while a transaction is under way gather, and are the next one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use moorage_domain::{
    RepositoryName, TagName, Timestamp,
    plan::{HeldTag, Missing},
    usage_log::LogEntry,
};
use tokio::sync::oneshot;

use crate::{
    StateError, Table,
    mirrors::transition::TransitionError,
    tags::{
        skipped::SkippedTag,
        tag_write::{Right, Write},
    },
    usage_log::Told,
};

/// The most tags of one transaction: with the past of each, and what is told of it, they stay below the 100 items that
/// DynamoDB takes.
const MOST_TAGS: usize = 32;
/// The most digests that they list: with some 80 bytes for each, and twice where there is a past, they stay below the
/// 4 MB that DynamoDB takes.
const MOST_DIGESTS: usize = 15_000;

/// The tags of a repository, for one who may change them.
#[derive(Debug, Clone)]
pub struct Tags {
    table: Table,
    repository: RepositoryName,
    right: Right,
    open: Arc<Mutex<Vec<Open>>>,
    /// Of whoever is writing.
    writing: Arc<tokio::sync::Mutex<()>>,
}

/// A write that waits, and who waits for it.
#[derive(Debug)]
struct Open {
    tag: TagName,
    write: Write,
    waits: oneshot::Sender<Written>,
}

/// The result of a transaction, for each of its writes.
#[derive(Debug, Clone)]
enum Written {
    Done,
    Lost,
    Failed(StateError),
}

impl Table {
    /// The tags of a repository, for whoever has this right.
    pub fn tags_by(&self, repository: &RepositoryName, right: Right) -> Tags {
        Tags {
            table: self.clone(),
            repository: repository.clone(),
            right,
            open: Arc::default(),
            writing: Arc::default(),
        }
    }
}

impl Tags {
    /// Records what a tag points to, after the bucket says so, and what it pointed to before; with what the usage log
    /// tells of it.
    pub async fn put(&self, tag: &TagName, held: HeldTag, log: Option<LogEntry>) -> Result<(), TransitionError> {
        self.write(tag, Write::Put(Box::new(held), log.map(Told::new))).await
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

    /// Records that a tag was skipped.
    pub async fn put_skipped(&self, tag: &TagName, skipped: SkippedTag) -> Result<(), TransitionError> {
        self.write(tag, Write::Skip(Box::new(skipped))).await
    }

    /// Forgets a tag that is not there to be skipped any more.
    pub async fn delete_skipped(&self, tag: &TagName) -> Result<(), TransitionError> {
        self.write(tag, Write::Unskip).await
    }

    /// Has something written: whoever gets the lock writes for others that wait, too.
    async fn write(&self, tag: &TagName, write: Write) -> Result<(), TransitionError> {
        loop {
            let (waits, mut written) = oneshot::channel();
            self.open().push(Open { tag: tag.clone(), write: write.clone(), waits });
            let answer = loop {
                tokio::select! {
                    biased;
                    answer = &mut written => break answer,
                    writing = self.writing.lock() => {
                        self.write_some().await;
                        drop(writing);
                    }
                }
            };
            return match answer {
                Ok(Written::Done) => Ok(()),
                Ok(Written::Lost) => Err(TransitionError::ClaimLost),
                Ok(Written::Failed(error)) => Err(error.into()),
                // Whoever was writing did not come to its end.
                Err(_) => continue,
            };
        }
    }

    /// Writes those that have waited the longest, as many as go together.
    async fn write_some(&self) {
        let batch = take(&mut self.open());
        let writes: BTreeMap<_, _> = batch.iter().map(|open| (&open.tag, &open.write)).collect();
        if writes.is_empty() {
            return;
        }
        let written = match self.table.write_tags(&self.repository, self.right, &writes).await {
            Ok(()) => Written::Done,
            Err(TransitionError::State(error)) => Written::Failed(error),
            Err(_) => Written::Lost,
        };
        for open in batch {
            // Nobody has to wait any more.
            let _gone = open.waits.send(written.clone());
        }
    }

    fn open(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes what goes into one transaction: each tag once.
fn take(open: &mut Vec<Open>) -> Vec<Open> {
    let (mut tags, mut digests) = (BTreeSet::new(), 0usize);
    let mut fits = |it: &Open| {
        digests = digests.saturating_add(it.write.digests());
        tags.insert(it.tag.clone()) && tags.len() <= MOST_TAGS && (tags.len() == 1 || digests <= MOST_DIGESTS)
    };
    let count = open.iter().position(|it| !fits(it)).unwrap_or(open.len());
    open.drain(..count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(tag: &str) -> Open {
        Open { tag: tag.parse().unwrap(), write: Write::Delete(None), waits: oneshot::channel().0 }
    }

    #[test]
    fn what_goes_together_has_each_tag_once() {
        let mut all = vec![open("a"), open("b"), open("a"), open("c")];
        let first: Vec<_> = take(&mut all).into_iter().map(|it| it.tag.to_string()).collect();
        assert_eq!(first, ["a", "b"]);
        assert_eq!(take(&mut all).len(), 2);
        assert!(take(&mut all).is_empty());
        let mut many: Vec<_> = (0..100).map(|number| open(&format!("t{number}"))).collect();
        assert_eq!((take(&mut many).len(), many.len()), (MOST_TAGS, 100 - MOST_TAGS));
    }
}
