//! The usage log of a repository.

use std::time::Duration;

use moorage_domain::{RepositoryName, Timestamp, usage_log::LogEntry};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    key::{Key, prefix, repository_pk},
    table::{Query, item},
};

/// How long entries are kept.
const LOG_RETENTION: Duration = Duration::from_secs(90 * 86_400);

#[derive(Serialize, Deserialize)]
struct LogItem {
    #[serde(flatten)]
    entry: LogEntry,
    expires_at: Timestamp,
}

/// Some entries, newest first, and where the next page begins.
#[derive(Debug)]
pub struct LogPage {
    /// The entries.
    pub entries: Vec<LogEntry>,
    /// What to pass to [`Table::log`] for the next page.
    pub next: Option<String>,
}

impl Table {
    /// Adds entries, in their order.
    pub async fn add_log(&self, repository: &RepositoryName, entries: &[LogEntry]) -> Result<(), StateError> {
        let items = entries.iter().map(|entry| {
            let expires_at = entry.datetime.plus(LOG_RETENTION);
            // Version 7 ids of one process are ordered, which keeps entries of one second in order.
            item(Key::Log(repository, entry.datetime, Uuid::now_v7()), &LogItem { entry: entry.clone(), expires_at })
        });
        self.put_all(items.collect::<Result<_, _>>()?).await
    }

    /// The entries of a repository, newest first, from behind `after`.
    pub async fn log(
        &self,
        repository: &RepositoryName,
        limit: i32,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<LogPage, StateError> {
        let query = Query {
            pk: repository_pk(repository),
            prefix: prefix::LOG,
            newest_first: true,
            limit: Some(limit),
            after: after.map(|after| format!("{}{after}", prefix::LOG)),
        };
        let page = self.page::<LogItem>(query).await?;
        let entries = page.items.into_iter().filter(|item| item.expires_at > now).map(|item| item.entry).collect();
        let next = page.next.and_then(|sk| sk.strip_prefix(prefix::LOG).map(str::to_owned));
        Ok(LogPage { entries, next })
    }
}
