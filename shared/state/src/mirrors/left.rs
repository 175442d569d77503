//! Runs from which the claim was taken away: they may write until they have noticed, which keeps everybody else out.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Namespace, RepositoryName, Timestamp, status::SyncState};
use uuid::Uuid;

use crate::{
    StateError, Table,
    clock::{moment, now},
    key::Key,
    table::{Item, conditional},
};

impl Table {
    /// Records that a run has noticed that its claim was taken away, and writes nothing more from `settled` on.
    pub(crate) async fn run_has_left(
        &self,
        name: &RepositoryName,
        transaction: Uuid,
        settled: Timestamp,
    ) -> Result<(), StateError> {
        let keys = [(Key::Mirror(name), "sync_"), (Key::Repository(name), "")];
        for (key, prefix) in keys {
            self.has_left(key, prefix, transaction, settled).await?;
        }
        Ok(())
    }

    /// As [`Self::run_has_left`], for a discovery. What it writes is in transactions, so that nothing is under way.
    pub(crate) async fn discovery_has_left(
        &self,
        organization: &Namespace,
        transaction: Uuid,
    ) -> Result<(), StateError> {
        self.has_left(Key::OrganizationMirror(organization), "sync_", transaction, now()).await
    }

    async fn has_left(
        &self,
        key: Key<'_>,
        prefix: &str,
        transaction: Uuid,
        settled: Timestamp,
    ) -> Result<(), StateError> {
        let update = self.update(key).update_expression("SET #until = :settled");
        let update = update.condition_expression("#by = :by AND #until > :settled");
        let update = update.expression_attribute_names("#by", format!("{prefix}left_by"));
        let update = update.expression_attribute_names("#until", format!("{prefix}left_until"));
        let update = update.expression_attribute_values(":by", AttributeValue::S(transaction.to_string()));
        match conditional(update.expression_attribute_values(":settled", moment(settled))).await {
            Ok(()) | Err(StateError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What an update of a repository adds to remember the run of a mirror that goes, and its values.
pub(crate) fn remember_left(state: Option<&SyncState>, values: &mut Item) -> &'static str {
    let Some(left) = state.and_then(SyncState::left) else { return "" };
    values.insert(":left_by".to_owned(), AttributeValue::S(left.by.to_string()));
    values.insert(":left_until".to_owned(), moment(left.until));
    ", #left_by = :left_by, #left_until = :left_until"
}
