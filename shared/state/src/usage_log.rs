//! The usage logs of repositories and of organizations.

use std::time::Duration;

use moorage_domain::{Namespace, RepositoryName, Timestamp, usage_log::LogEntry};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    key::{Key, prefix},
    table::{Item, item},
    transaction::Transaction,
};

/// How long entries are kept.
const LOG_RETENTION: Duration = Duration::from_secs(90 * 86_400);

/// An entry that is written with what it tells of: neither is there without the other, however often it is tried.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    entry: LogEntry,
    id: Uuid,
}

impl Told {
    pub(crate) fn new(entry: LogEntry) -> Self {
        // Version 7 ids of one process are ordered, which keeps entries of one second in order.
        Self { entry, id: Uuid::now_v7() }
    }

    /// Adds it to a repository's log with the rest of the transaction.
    pub(crate) fn add(&self, transaction: &mut Transaction<'_>, repository: &RepositoryName) -> Result<(), StateError> {
        transaction.put(Key::Log(repository, self.entry.datetime, self.id), &LogItem::new(&self.entry))
    }

    /// The same, and to its namespace's, where all that is done by hand is told.
    pub(crate) fn add_to_both(
        &self,
        transaction: &mut Transaction<'_>,
        repository: &RepositoryName,
    ) -> Result<(), StateError> {
        self.add(transaction, repository)?;
        let key = Key::NamespaceLog(&repository.namespace(), self.entry.datetime, self.id);
        transaction.put(key, &LogItem::new(&self.entry))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct LogItem {
    #[serde(flatten)]
    entry: LogEntry,
    expires_at: Timestamp,
}

impl LogItem {
    fn new(entry: &LogEntry) -> Self {
        Self { entry: entry.clone(), expires_at: entry.datetime.plus(LOG_RETENTION) }
    }
}

/// Whose log.
#[derive(Debug, Clone, Copy)]
pub enum LogOf<'a> {
    /// A repository's: what was done to it, and its syncs.
    Repository(&'a RepositoryName),
    /// A namespace's: what was done by hand to it, its robots, teams and repositories.
    Namespace(&'a Namespace),
}

/// Which entries to read.
#[derive(Debug, Clone, Copy)]
pub struct LogQuery<'a> {
    /// The first second.
    pub from: Timestamp,
    /// The last second.
    pub to: Timestamp,
    /// The most entries.
    pub limit: i32,
    /// Where the page before ended.
    pub after: Option<&'a str>,
}

/// Some entries, newest first, and where the next page begins.
#[derive(Debug)]
pub struct LogPage {
    /// The entries.
    pub entries: Vec<LogEntry>,
    /// What [`LogQuery::after`] is for the next page.
    pub next: Option<String>,
}

impl<'a> LogOf<'a> {
    fn key(self, datetime: Timestamp, id: Uuid) -> Key<'a> {
        match self {
            Self::Repository(repository) => Key::Log(repository, datetime, id),
            Self::Namespace(namespace) => Key::NamespaceLog(namespace, datetime, id),
        }
    }
}

impl Table {
    /// Adds entries to a repository's log, in their order.
    pub async fn add_log(&self, repository: &RepositoryName, entries: &[LogEntry]) -> Result<(), StateError> {
        self.add_log_of(LogOf::Repository(repository), entries).await
    }

    /// Adds entries, in their order.
    pub async fn add_log_of(&self, log: LogOf<'_>, entries: &[LogEntry]) -> Result<(), StateError> {
        self.put_all(items(log, entries)?).await
    }

    /// Adds entries to a repository's log and to its namespace's, where all that is done by hand is told.
    pub async fn add_log_to_both(&self, repository: &RepositoryName, entries: &[LogEntry]) -> Result<(), StateError> {
        let namespace = repository.namespace();
        let ours = items(LogOf::Repository(repository), entries)?;
        self.put_all([ours, items(LogOf::Namespace(&namespace), entries)?].concat()).await
    }

    /// Entries, newest first.
    pub async fn log(&self, log: LogOf<'_>, query: LogQuery<'_>, now: Timestamp) -> Result<LogPage, StateError> {
        if query.from > query.to {
            return Ok(LogPage { entries: Vec::new(), next: None });
        }
        let (first, last) = (log.key(query.from, Uuid::nil()), log.key(query.to, Uuid::max()));
        let after = query.after.map(|after| format!("{}{after}", prefix::LOG));
        // DynamoDB refuses to go on from outside of the range.
        let after = after.map(|after| after.clamp(first.sk(), last.sk()));
        let page = self.page_between::<LogItem>(first.pk(), (first.sk(), last.sk()), query.limit, after).await?;
        let entries = page.items.into_iter().filter(|item| item.expires_at > now).map(|item| item.entry).collect();
        let next = page.next.and_then(|sk| sk.strip_prefix(prefix::LOG).map(str::to_owned));
        Ok(LogPage { entries, next })
    }
}

/// Entries of a log as they are stored.
fn items(log: LogOf<'_>, entries: &[LogEntry]) -> Result<Vec<Item>, StateError> {
    entries.iter().map(|entry| item(log.key(entry.datetime, Uuid::now_v7()), &LogItem::new(entry))).collect()
}
