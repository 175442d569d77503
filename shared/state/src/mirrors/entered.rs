//! Mirrors of earlier releases, which are not found yet by where they copy from.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    StateError, Table,
    key::{Key, PK, SK},
    mirrors::{mirror::Mirror, sources},
    table::Item,
    transaction::Transaction,
};

/// Mirrors that are entered at once.
const WRITES: usize = 8;

impl Table {
    /// Enters those of some mirrors that an earlier release has made, and that are not found by where they copy from. One
    /// that has changed meanwhile is entered by that change.
    pub async fn enter_mirrors(&self, mirrors: &[Mirror]) -> Result<(), StateError> {
        let all = mirrors.iter().flat_map(keys).collect::<Vec<_>>();
        if all.is_empty() {
            return Ok(());
        }
        let entered: HashSet<_> = self.get_items(all).await?.iter().filter_map(place).collect();
        let is_missing = |key: &Item| place(key).is_none_or(|place| !entered.contains(&place));
        let missing: Vec<_> = mirrors.iter().filter(|mirror| keys(mirror).iter().any(is_missing)).collect();
        let entering = stream::iter(missing).map(|mirror| self.enter_mirror(mirror));
        entering.buffer_unordered(WRITES).try_collect().await
    }

    async fn enter_mirror(&self, mirror: &Mirror) -> Result<(), StateError> {
        let number = |number: String| AttributeValue::N(number);
        // The next mirror of the name counts from one again.
        let (repository, created) = (&mirror.config.repository, number(mirror.created.unix().to_string()));
        let mut transaction = Transaction::new(self);
        let seen = number(mirror.config_revision.to_string());
        let seen = Item::from([(":seen".to_owned(), seen), (":created".to_owned(), created)]);
        transaction.check(Key::Mirror(repository), "#config_revision = :seen AND #created = :created", seen)?;
        sources::enter(&mut transaction, repository, (None, Some(&mirror.sources())))?;
        transaction.commit().await.map(|_| ())
    }
}

/// The keys of a mirror's entries.
fn keys(mirror: &Mirror) -> Vec<Item> {
    mirror.sources().keys(&mirror.config.repository)
}

/// Where an item is.
fn place(item: &Item) -> Option<[String; 2]> {
    let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    Some([part(PK)?, part(SK)?])
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        Client,
        operation::{batch_get_item::BatchGetItemOutput, transact_write_items::TransactWriteItemsOutput},
    };
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use super::*;
    use crate::golden;

    #[tokio::test]
    async fn mirrors_of_earlier_releases_are_entered_once() {
        let mirror: Mirror = serde_dynamo::from_item(golden::read("Mirror")).unwrap();
        let entries = keys(&mirror);
        let writes = std::sync::Arc::new(std::sync::Mutex::new(0));
        for (found, written) in [(Vec::new(), 1), (entries, 0)] {
            let read = mock!(Client::batch_get_item)
                .then_output(move || BatchGetItemOutput::builder().responses("table", found.clone()).build());
            let counted = writes.clone();
            let write = mock!(Client::transact_write_items)
                .match_requests(|request| {
                    // It must be the very mirror that was read, not the next one of its name.
                    let check = request.transact_items()[0].condition_check().unwrap();
                    let value = |name: &str| check.expression_attribute_values().unwrap()[name].as_n().unwrap().clone();
                    check.condition_expression() == "#config_revision = :seen AND #created = :created"
                        && (value(":seen"), value(":created")) == ("7".to_owned(), "1790000000".to_owned())
                })
                .then_output(move || {
                    *counted.lock().unwrap() += 1;
                    TransactWriteItemsOutput::builder().build()
                });
            let table = Table::new(mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&read, &write]), "table");
            *writes.lock().unwrap() = 0;
            table.enter_mirrors(std::slice::from_ref(&mirror)).await.unwrap();
            assert_eq!(*writes.lock().unwrap(), written);
            table.enter_mirrors(&[]).await.unwrap();
            assert_eq!(read.num_calls(), 1, "nothing is read for nobody");
        }
    }
}
