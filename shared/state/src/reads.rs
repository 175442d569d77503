//! Items that many read at about the same time, each a few: one request reads them for all.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    StateError, Table,
    key::{PK, SK},
    table::{Item, READ_BATCH_SIZE},
    together::{Crowd, Together},
};

/// Requests under way at a time: who comes while one is need not wait for two of them.
const AT_ONCE: usize = 2;

/// Reads of whoever works on the same thing.
#[derive(Debug)]
pub struct Reads {
    table: Table,
    together: Together<Vec<Item>, Result<Vec<Item>, StateError>>,
}

/// A key as it can be compared.
type Place = (String, String);

impl Reads {
    /// Reads for those of a crowd.
    pub fn new(table: Table, crowd: Crowd) -> Self {
        Self { table, together: Together::new(crowd, AT_ONCE) }
    }

    /// Reads items, strongly consistent: the request begins after this is called. Those that are not there are left out.
    pub(crate) async fn items(&self, keys: Vec<Item>) -> Result<Vec<Item>, StateError> {
        let mut found = Vec::new();
        for keys in keys.chunks(READ_BATCH_SIZE) {
            found.extend(self.together.ask(keys.to_vec(), fits, |asked| self.read(asked)).await?);
        }
        Ok(found)
    }

    /// Answers all of them by one request, which may have each key once.
    async fn read(&self, asked: Vec<Vec<Item>>) -> Vec<Result<Vec<Item>, StateError>> {
        let keys: HashMap<_, _> = asked.iter().flatten().filter_map(|key| Some((place(key)?, key))).collect();
        let found = self.table.get_items(keys.into_values().cloned().collect()).await;
        let found = found.map(|items| {
            let placed = items.into_iter().filter_map(|item| Some((place(&item)?, item)));
            placed.collect::<HashMap<_, _>>()
        });
        let answer = |keys: &Vec<Item>| {
            let found = found.as_ref().map_err(Clone::clone)?;
            Ok(keys.iter().filter_map(|key| found.get(&place(key)?).cloned()).collect())
        };
        asked.iter().map(answer).collect()
    }
}

/// How many of those that wait go into one request.
fn fits(open: &[&Vec<Item>]) -> usize {
    let mut keys = 0_usize;
    let is_too_much = |asked: &&Vec<Item>| {
        keys = keys.saturating_add(asked.len());
        keys > READ_BATCH_SIZE
    };
    open.iter().position(is_too_much).unwrap_or(open.len())
}

fn place(item: &Item) -> Option<Place> {
    let part = |name: &str| item.get(name).map(AttributeValue::as_s)?.ok().cloned();
    Some((part(PK)?, part(SK)?))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_dynamodb::{Client, operation::batch_get_item::BatchGetItemOutput};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use futures_util::future::join_all;

    use super::*;

    fn key(number: usize) -> Item {
        [(PK, number), (SK, 0)].map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_string()))).into()
    }

    /// A table that has the items with even numbers; and how many keys each request had.
    fn table() -> (Table, Arc<Mutex<Vec<usize>>>) {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let rule = mock!(Client::batch_get_item).then_compute_output(move |request| {
            let keys = request.request_items().unwrap()["table"].keys().to_vec();
            let distinct: std::collections::BTreeSet<_> = keys.iter().map(|key| place(key).unwrap()).collect();
            assert_eq!(distinct.len(), keys.len(), "DynamoDB refuses a key that is there twice");
            seen.lock().unwrap().push(keys.len());
            let is_even = |key: &Item| key[PK].as_s().unwrap().parse::<usize>().unwrap().is_multiple_of(2);
            let items = keys.into_iter().filter(is_even).collect();
            BatchGetItemOutput::builder().responses("table", items).build()
        });
        (Table::new(mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&rule]), "table"), requests)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_gets_his_own_items_by_a_few_requests() {
        let (table, requests) = table();
        let crowd = Crowd::default();
        let _members: Vec<_> = (0..40).map(|_| crowd.join()).collect();
        let reads = Reads::new(table, crowd);
        let read = |number: usize| reads.items(vec![key(number), key(number + 1), key(1_000)]);
        for (number, found) in join_all((0..40).map(read)).await.into_iter().enumerate() {
            let even = if number.is_multiple_of(2) { number } else { number + 1 };
            assert_eq!(found.unwrap(), [key(even), key(1_000)], "{number}");
        }
        let requests = requests.lock().unwrap();
        assert!(requests.len() <= 3 && requests.iter().all(|keys| *keys <= READ_BATCH_SIZE), "{requests:?}");
    }

    #[tokio::test]
    async fn more_keys_than_one_request_takes_are_several() {
        let (table, requests) = table();
        let reads = Reads::new(table, Crowd::default());
        assert_eq!(reads.items((0..250).map(key).collect()).await.unwrap().len(), 125);
        assert_eq!(*requests.lock().unwrap(), [100, 100, 50]);
    }
}
