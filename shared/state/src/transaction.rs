//! Writes of several items that happen together or not at all.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update},
};
use moorage_domain::{RepositoryName, ServiceError, ServiceErrorKind};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    StateError, Table,
    error::failed,
    expression::{Change, names},
    key::{Key, PK},
    race::jitter,
    table::{Item, item},
};

/// How often a transaction is tried that conflicts with another one. Whatever is created in an organization checks the
/// organization's item, so they do.
const MAX_TRIES: u32 = 9;
/// The longest first pause between two tries; it doubles each time.
const PAUSE: Duration = Duration::from_millis(20);

/// How often one is tried that DynamoDB has too much to do for, and the longest first pause after it, which doubles each time:
/// three seconds in all, most often. The SDK retries what is refused so, but no transaction that is cancelled for it. A
/// repository's items have one partition, which takes 1,000 units in a second, and a first sync may come near that.
const MAX_THROTTLED: u32 = 6;
const THROTTLED_PAUSE: Duration = Duration::from_millis(100);

/// Writes that are collected, then committed.
pub(crate) struct Transaction<'a> {
    table: &'a Table,
    writes: Vec<TransactWriteItem>,
}

/// What came of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Committed {
    /// Everything was written.
    Yes,
    /// The write with this number did not find what it expected, so nothing was.
    Refused(usize),
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(table: &'a Table) -> Self {
        Self { table, writes: Vec::new() }
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Writes an item where there is none.
    pub(crate) fn create<T: Serialize>(&mut self, key: Key<'_>, value: &T) -> Result<(), StateError> {
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item(key, value)?));
        let put = put.condition_expression("attribute_not_exists(#pk)").expression_attribute_names("#pk", PK);
        self.writes.push(TransactWriteItem::builder().put(built(put.build())?).build());
        Ok(())
    }

    /// Writes an item, whatever was there.
    pub(crate) fn put<T: Serialize>(&mut self, key: Key<'_>, value: &T) -> Result<(), StateError> {
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item(key, value)?));
        self.writes.push(TransactWriteItem::builder().put(built(put.build())?).build());
        Ok(())
    }

    /// Writes an item, if `condition` holds of what was there. `values` are those of the condition's placeholders.
    pub(crate) fn put_if<T: Serialize>(
        &mut self,
        key: Key<'_>,
        value: &T,
        condition: &str,
        values: Item,
    ) -> Result<(), StateError> {
        let mut put = Put::builder().table_name(&self.table.name).set_item(Some(item(key, value)?));
        for name in names(condition) {
            put = put.expression_attribute_names(format!("#{name}"), name);
        }
        let values = (!values.is_empty()).then_some(values);
        let put = put.condition_expression(condition).set_expression_attribute_values(values);
        self.writes.push(TransactWriteItem::builder().put(built(put.build())?).build());
        Ok(())
    }

    /// Changes an item. `values` are those of the expressions' placeholders; each `#name` stands for the attribute
    /// `name`.
    pub(crate) fn update(&mut self, key: Key<'_>, change: Change<'_>, values: Item) -> Result<(), StateError> {
        let mut update = Update::builder().table_name(&self.table.name).set_key(Some(key.attributes()));
        for name in names(change.update).chain(names(change.condition)) {
            update = update.expression_attribute_names(format!("#{name}"), name);
        }
        let values = (!values.is_empty()).then_some(values);
        let update = update.update_expression(change.update).condition_expression(change.condition);
        let update = update.set_expression_attribute_values(values);
        self.writes.push(TransactWriteItem::builder().update(built(update.build())?).build());
        Ok(())
    }

    /// Deletes an item, if `condition` holds.
    pub(crate) fn delete(&mut self, key: Key<'_>, condition: Option<(&str, Item)>) -> Result<(), StateError> {
        let mut delete = Delete::builder().table_name(&self.table.name).set_key(Some(key.attributes()));
        if let Some((condition, values)) = condition {
            for name in names(condition) {
                delete = delete.expression_attribute_names(format!("#{name}"), name);
            }
            let values = (!values.is_empty()).then_some(values);
            delete = delete.condition_expression(condition).set_expression_attribute_values(values);
        }
        self.writes.push(TransactWriteItem::builder().delete(built(delete.build())?).build());
        Ok(())
    }

    /// Expects an item to be there.
    pub(crate) fn expect(&mut self, key: Key<'_>) -> Result<(), StateError> {
        self.check(key, "attribute_exists(#pk)", Item::new())
    }

    /// Expects a condition to hold of an item that is not written.
    pub(crate) fn check(&mut self, key: Key<'_>, condition: &str, values: Item) -> Result<(), StateError> {
        let mut check = ConditionCheck::builder().table_name(&self.table.name).set_key(Some(key.attributes()));
        for name in names(condition) {
            check = check.expression_attribute_names(format!("#{name}"), name);
        }
        let values = (!values.is_empty()).then_some(values);
        let check = check.condition_expression(condition).set_expression_attribute_values(values);
        self.writes.push(TransactWriteItem::builder().condition_check(built(check.build())?).build());
        Ok(())
    }

    /// Expects a claim of a mirror to be held.
    pub(crate) fn expect_claim(&mut self, repository: &RepositoryName, claim: Uuid) -> Result<(), StateError> {
        let check = ConditionCheck::builder().table_name(&self.table.name);
        let check = check.set_key(Some(Key::Mirror(repository).attributes()));
        let check = check.condition_expression("#id = :id").expression_attribute_names("#id", "sync_transaction_id");
        let check = check.expression_attribute_values(":id", AttributeValue::S(claim.to_string()));
        self.writes.push(TransactWriteItem::builder().condition_check(built(check.build())?).build());
        Ok(())
    }

    /// Writes everything, or nothing.
    pub(crate) async fn commit(self) -> Result<Committed, StateError> {
        let mut throttled = 0;
        for tries in 0..MAX_TRIES {
            let request = self.table.client.transact_write_items().set_transact_items(Some(self.writes.clone()));
            let Err(error) = request.send().await else { return Ok(Committed::Yes) };
            match refused(&error) {
                Refusal::Condition(index) => return Ok(Committed::Refused(index)),
                Refusal::Conflict => tokio::time::sleep(jitter(PAUSE, tries)).await,
                Refusal::Throttled(code) => {
                    throttled += 1;
                    if throttled == MAX_THROTTLED {
                        return Err(ServiceError::new("DynamoDB", Some(code), None, error).into());
                    }
                    tokio::time::sleep(jitter(THROTTLED_PAUSE, throttled - 1)).await;
                }
                Refusal::Failed => return Err(failed(error)),
            }
        }
        Err(StateError::Unavailable("other transactions were in the way".to_owned()))
    }
}

/// Why a transaction did not happen.
enum Refusal {
    /// The condition of the write with this number did not hold.
    Condition(usize),
    /// Another transaction was in the way.
    Conflict,
    /// DynamoDB has too much to do, as it says only in the reasons.
    Throttled(String),
    /// Anything else.
    Failed,
}

fn refused<R>(error: &SdkError<TransactWriteItemsError, R>) -> Refusal {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return Refusal::Failed;
    };
    let codes = || cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default());
    if let Some(index) = codes().position(|code| code == "ConditionalCheckFailed") {
        return Refusal::Condition(index);
    }
    if codes().any(|code| code == "TransactionConflict") {
        return Refusal::Conflict;
    }
    let is_throttling = |code: &&str| ServiceErrorKind::of(Some(code), None) == ServiceErrorKind::Throttled;
    codes().find(is_throttling).map_or(Refusal::Failed, |code| Refusal::Throttled(code.to_owned()))
}

fn built<T>(result: Result<T, aws_sdk_dynamodb::error::BuildError>) -> Result<T, StateError> {
    result.map_err(|error| StateError::Unavailable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        Client, config::retry::RetryConfig, operation::transact_write_items::TransactWriteItemsOutput,
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    use super::*;

    fn cancelled(reason: &str) -> String {
        format!(
            r#"{{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"no",
                "CancellationReasons":[{{"Code":"None"}},{{"Code":"{reason}"}}]}}"#
        )
    }

    fn client(rule: &Rule) -> Client {
        mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [rule], |config| {
            config.retry_config(RetryConfig::disabled())
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_that_is_throttled_says_so() {
        for (reason, code, kind, tries) in [
            ("ThrottlingError", "ThrottlingError", ServiceErrorKind::Throttled, MAX_THROTTLED),
            (
                "ProvisionedThroughputExceeded",
                "ProvisionedThroughputExceeded",
                ServiceErrorKind::Throttled,
                MAX_THROTTLED,
            ),
            ("ValidationError", "TransactionCanceledException", ServiceErrorKind::Unavailable, 1),
        ] {
            let rule =
                mock!(Client::transact_write_items).sequence().http_status(400, Some(cancelled(reason))).repeatedly();
            let rule = rule.build();
            let table = Table::new(client(&rule), "table");
            let error = Transaction::new(&table).commit().await.unwrap_err();
            let service = error.service().unwrap();
            assert_eq!((service.kind(), service.code()), (kind, Some(code)), "{error}");
            assert_eq!((service.operation(), rule.num_calls()), ("TransactWriteItems", tries as usize));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_the_way_or_too_much_for_a_moment_is_waited_out() {
        for reason in ["ThrottlingError", "TransactionConflict"] {
            let rule =
                mock!(Client::transact_write_items).sequence().http_status(400, Some(cancelled(reason))).times(3);
            let rule = rule.output(|| TransactWriteItemsOutput::builder().build()).build();
            let table = Table::new(client(&rule), "table");
            assert_eq!(Transaction::new(&table).commit().await.unwrap(), Committed::Yes, "{reason}");
        }
    }
}
