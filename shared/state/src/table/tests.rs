//! What DynamoDB leaves undone of a batch is asked for again, and nothing else.

use aws_sdk_dynamodb::operation::{batch_get_item::BatchGetItemOutput, batch_write_item::BatchWriteItemOutput};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

use super::*;

const TABLE: &str = "table";

fn item(number: u32) -> Item {
    [PK, SK].map(|name| (name.to_owned(), AttributeValue::S(number.to_string()))).into()
}

fn items(numbers: impl IntoIterator<Item = u32>) -> Vec<Item> {
    numbers.into_iter().map(item).collect()
}

/// That these are read, of which some are left.
fn read(asked: Vec<Item>, left: Vec<Item>) -> Rule {
    let found = asked.iter().filter(|item| !left.contains(item)).cloned().collect::<Vec<_>>();
    let rule = mock!(Client::batch_get_item).match_requests(move |request| {
        request.request_items().and_then(|tables| tables.get(TABLE)).is_some_and(|keys| keys.keys() == asked)
    });
    rule.then_output(move || {
        let left = KeysAndAttributes::builder().set_keys(Some(left.clone())).build().unwrap();
        BatchGetItemOutput::builder().responses(TABLE, found.clone()).unprocessed_keys(TABLE, left).build()
    })
}

/// That these are written, of which some are left.
fn write(asked: &[Item], left: &[Item]) -> Rule {
    let put = |items: &[Item]| -> Vec<WriteRequest> {
        let put = |item: &Item| PutRequest::builder().set_item(Some(item.clone())).build().unwrap();
        items.iter().map(|item| WriteRequest::builder().put_request(put(item)).build()).collect()
    };
    let (asked, left) = (put(asked), put(left));
    let rule = mock!(Client::batch_write_item).match_requests(move |request| {
        request.request_items().and_then(|tables| tables.get(TABLE)).is_some_and(|writes| *writes == asked)
    });
    rule.then_output(move || BatchWriteItemOutput::builder().unprocessed_items(TABLE, left.clone()).build())
}

fn table(rules: &[Rule]) -> Table {
    Table::new(mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, rules.iter().collect::<Vec<_>>()), TABLE)
}

#[tokio::test]
async fn what_is_left_of_a_read_is_read_again() {
    let rules = [read(items(0..100), items(97..100)), read(items(97..100), vec![]), read(items(100..101), vec![])];
    let found = table(&rules).get_items(items(0..101)).await.unwrap();
    assert_eq!(found, items(0..101), "each once");
    assert_eq!(rules.each_ref().map(Rule::num_calls), [1; 3]);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_write_is_written_again() {
    let rules = [write(&items(0..25), &items(23..25)), write(&items(23..25), &[]), write(&items(25..26), &[])];
    table(&rules).put_all(items(0..26)).await.unwrap();
    assert_eq!(rules.each_ref().map(Rule::num_calls), [1; 3]);
}

#[tokio::test(start_paused = true)]
async fn what_stays_undone_is_an_error() {
    let left = || read(items(1..2), items(1..2));
    let first = read(items(0..2), items(1..2));
    let reads: Vec<_> = std::iter::once(first).chain((1..BATCH_TRIES).map(|_| left())).collect();
    assert!(matches!(table(&reads).get_items(items(0..2)).await, Err(StateError::Unavailable(_))));
    let writes: Vec<_> = (0..BATCH_TRIES).map(|_| write(&items(0..1), &items(0..1))).collect();
    assert!(matches!(table(&writes).put_all(items(0..1)).await, Err(StateError::Unavailable(_))));
}
