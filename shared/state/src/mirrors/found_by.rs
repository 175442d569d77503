//! An entry by which a mirror is found: in the partition of what it copies from, one for each mirror.

use moorage_domain::RepositoryName;
use serde::{Deserialize, Serialize};

use crate::{StateError, Table, key::Key, table::Query, transaction::Transaction};

/// That a mirror copies from it.
#[derive(Serialize, Deserialize)]
pub(crate) struct FoundBy {
    repository: RepositoryName,
}

/// Enters where a mirror copies from, under its `key`, in place of where it did `before`; as a part of a transaction that this
/// never refuses.
pub(crate) fn enter<S: PartialEq>(
    transaction: &mut Transaction<'_>,
    repository: &RepositoryName,
    (before, after): (Option<&S>, Option<&S>),
    key: for<'k> fn(&'k S, &'k RepositoryName) -> Key<'k>,
) -> Result<(), StateError> {
    if let Some(before) = before.filter(|before| Some(*before) != after) {
        transaction.delete(key(before, repository), None)?;
    }
    match after {
        Some(after) => transaction.put(key(after, repository), &FoundBy { repository: repository.clone() }),
        None => Ok(()),
    }
}

impl Table {
    /// The mirrors that have entries in a partition, by name, so many at most.
    pub(crate) async fn found_by(
        &self,
        pk: String,
        prefix: &str,
        limit: i32,
    ) -> Result<Vec<RepositoryName>, StateError> {
        let query = Query { pk, prefix, newest_first: false, limit: Some(limit), after: None };
        Ok(self.page::<FoundBy>(query).await?.items.into_iter().map(|entry| entry.repository).collect())
    }
}
