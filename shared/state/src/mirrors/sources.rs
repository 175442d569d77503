//! Where mirrors copy from, and how they are found by it: by what EventBridge says of ECR ([`ecr`]), and by what clients call
//! the original ([`origins`]).

use std::collections::HashSet;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Origin, RepositoryName, webhook::EcrRepository};

use crate::{
    StateError, Table,
    key::{Key, PK, SK},
    mirrors::{ecr, mirror::Mirror, origins},
    table::Item,
    transaction::Transaction,
};

/// Mirrors that are entered at once, after an upgrade.
const WRITES: usize = 8;

/// By what a mirror is found.
struct Sources {
    origin: Origin,
    /// If it is told of what is pushed there. Those of an organization's mirror have turns, and are not.
    ecr: Option<EcrRepository>,
}

impl Sources {
    fn of(mirror: &Mirror) -> Self {
        let reference = &mirror.config.external_reference;
        let ecr = EcrRepository::of(reference).filter(|_| !mirror.is_discovered);
        Self { origin: Origin::of(reference), ecr }
    }
}

/// Enters where a mirror copies from in place of where it did `before`; as a part of a transaction that this never refuses.
pub(crate) fn enter(
    transaction: &mut Transaction<'_>,
    repository: &RepositoryName,
    (before, after): (Option<&Mirror>, Option<&Mirror>),
) -> Result<(), StateError> {
    let (before, after) = (before.map(Sources::of), after.map(Sources::of));
    let ecr = |sources: &Option<Sources>| sources.as_ref().and_then(|sources| sources.ecr.clone());
    ecr::enter(transaction, repository, (ecr(&before).as_ref(), ecr(&after).as_ref()))?;
    let origin = |sources: Option<Sources>| sources.map(|sources| sources.origin);
    origins::enter(transaction, repository, (origin(before).as_ref(), origin(after).as_ref()))
}

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
        let (repository, seen) = (&mirror.config.repository, AttributeValue::N(mirror.config_revision.to_string()));
        let mut transaction = Transaction::new(self);
        let seen = Item::from([(":seen".to_owned(), seen)]);
        transaction.check(Key::Mirror(repository), "#config_revision = :seen", seen)?;
        enter(&mut transaction, repository, (None, Some(mirror)))?;
        transaction.commit().await.map(|_| ())
    }
}

/// The keys of a mirror's entries.
fn keys(mirror: &Mirror) -> Vec<Item> {
    let (sources, repository) = (Sources::of(mirror), &mirror.config.repository);
    let origin = Key::OriginMirror(&sources.origin, repository).attributes();
    let ecr = sources.ecr.as_ref().map(|ecr| Key::EcrMirror(ecr, repository).attributes());
    std::iter::once(origin).chain(ecr).collect()
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
            let write = mock!(Client::transact_write_items).then_output(move || {
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
