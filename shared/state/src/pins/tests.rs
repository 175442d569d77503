use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::{
    Client,
    operation::{
        batch_get_item::BatchGetItemOutput, get_item::GetItemOutput, query::QueryOutput,
        transact_write_items::TransactWriteItemsOutput, update_item::UpdateItemOutput,
    },
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use moorage_domain::pin::{MAX_PINNED, MAX_PINS};

use super::*;
use crate::{Pinned, golden::read, repositories::repository::Repository, table::item};

fn app() -> RepositoryName {
    "acme/app".parse().unwrap()
}

fn pin() -> Pin {
    serde_dynamo::from_item(read("Pin.remembered")).unwrap()
}

/// The repository, with these pins.
fn repository(pins: impl IntoIterator<Item = RunId>) -> Rule {
    let mut stored = read("Repository.pinned");
    stored.insert("is_deleted".to_owned(), AttributeValue::Bool(false));
    let found = Repository { pins: pins.into_iter().collect(), ..serde_dynamo::from_item(stored).unwrap() };
    let (found, organization) = (item(Key::Repository(&app()), &found).unwrap(), read("Organization"));
    mock!(Client::batch_get_item).then_output(move || {
        let mut organization = organization.clone();
        organization.insert("id".to_owned(), found["organization_id"].clone());
        organization.insert("is_ending".to_owned(), AttributeValue::Bool(false));
        let items = vec![found.clone(), organization];
        BatchGetItemOutput::builder().responses("table", items).build()
    })
}

fn stored(pin: &Pin) -> Rule {
    let stored = item(Key::Pin(&app(), pin.run_id), pin).unwrap();
    mock!(Client::get_item).then_output(move || GetItemOutput::builder().set_item(Some(stored.clone())).build())
}

fn listed(items: Vec<Item>) -> Rule {
    mock!(Client::query).then_output(move || QueryOutput::builder().set_items(Some(items.clone())).build())
}

fn failed() -> Rule {
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"no"}"#;
    mock!(Client::transact_write_items).sequence().http_status(500, Some(body.into())).build()
}

fn refused() -> Rule {
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#;
    mock!(Client::update_item).sequence().http_status(400, Some(body.into())).build()
}

fn table(rules: &[&Rule]) -> Table {
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, rules, |config| {
        config.retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
    });
    Table::new(client, "table")
}

#[tokio::test]
async fn a_pin_whose_answer_was_lost_is_one() {
    let (ours, app) = (pin(), app());
    let other = Pin { snapshot: Uuid::max(), ..ours.clone() };
    // What the table has after an answer that says that it failed.
    let (before, after, kept, failure) = (repository([]), repository([ours.run_id]), stored(&ours), failed());
    let pinned = table(&[&before, &failure, &after, &kept]).commit_pin(&app, &ours, None).await;
    assert!(matches!(pinned, Ok(Pinned::Now)), "{pinned:?}");
    let (before, after, kept, failure) = (repository([]), repository([ours.run_id]), stored(&other), failed());
    let pinned = table(&[&before, &failure, &after, &kept]).commit_pin(&app, &ours, None).await;
    assert!(matches!(pinned, Err(StateError::Service(_))), "it may still be written: {pinned:?}");
    // And what another try finds.
    for (found, expected) in [(&ours, Pinned::Now), (&other, Pinned::Before)] {
        let (before, after, kept) = (repository([ours.run_id]), repository([ours.run_id]), stored(found));
        let pinned = table(&[&before, &after, &kept]).commit_pin(&app, &ours, None).await;
        assert_eq!(pinned.unwrap(), expected);
    }
}

#[tokio::test]
async fn all_pins_together_keep_no_more_than_they_may() {
    let (ours, app) = (pin(), app());
    let other = |weight| Pin { run_id: RunId(Uuid::nil()), weight, ..ours.clone() };
    let asked = Arc::new(Mutex::new(String::new()));
    for (weight, expected) in [(MAX_PINNED - 3, Pinned::Now), (MAX_PINNED - 2, Pinned::TooMuch)] {
        let other = other(weight);
        let (found, pins) =
            (repository([other.run_id]), listed(vec![item(Key::Pin(&app, other.run_id), &other).unwrap()]));
        let seen = Arc::clone(&asked);
        let committed = mock!(Client::transact_write_items)
            .match_requests(move |request| {
                let update = request.transact_items()[0].update().unwrap();
                seen.lock().unwrap().push_str(update.condition_expression().unwrap());
                true
            })
            .then_output(|| TransactWriteItemsOutput::builder().build());
        let pinned = table(&[&found, &pins, &committed]).commit_pin(&app, &ours, None).await;
        assert_eq!((pinned.unwrap(), committed.num_calls()), (expected, usize::from(expected == Pinned::Now)));
    }
    let asked = asked.lock().unwrap().clone();
    assert!(
        asked.contains("size(#pins) = :count AND contains(#pins, :pin0)"),
        "they are those that were seen: {asked}"
    );
    let many = repository((0..MAX_PINS as u128).map(|number| RunId(Uuid::from_u128(number))));
    assert_eq!(table(&[&many]).commit_pin(&app, &ours, None).await.unwrap(), Pinned::TooMany);
}

#[tokio::test]
async fn of_two_who_look_one_writes_how_far_they_came() {
    let (app, looked) = (app(), pin());
    let begun = Pin { looked: None, ..looked.clone() };
    for (read, condition) in [
        (&looked, "#snapshot = :snapshot AND #looked = :was"),
        (&begun, "#snapshot = :snapshot AND attribute_not_exists(#looked)"),
    ] {
        let written = mock!(Client::update_item)
            .match_requests(move |request| {
                request.condition_expression() == Some(condition)
                    && request.update_expression()
                        == Some("SET #remembered = :true, #unverified = :unverified, #looked = :looked")
            })
            .then_output(|| UpdateItemOutput::builder().build());
        table(&[&written]).pin_looked(&app, read, (looked.looked.as_ref(), 0)).await.unwrap();
        assert_eq!(written.num_calls(), 1);
        let lost = table(&[&refused()]).pin_looked(&app, read, (looked.looked.as_ref(), 0)).await;
        assert!(matches!(lost, Err(StateError::Conflict)), "it has to be read again: {lost:?}");
    }
}

#[tokio::test]
async fn whoever_deletes_by_a_pin_of_which_parts_are_missing_fails() {
    let (app, pin) = (app(), pin());
    let all: BTreeSet<RunId> = [pin.run_id].into();
    let (pins, none, kept) =
        (listed(vec![item(Key::Pin(&app, pin.run_id), &pin).unwrap()]), listed(vec![]), stored(&pin));
    let read = table(&[&pins, &none, &kept]).each_pinned_digest(&app, &all, |digest| panic!("{digest}")).await;
    assert!(matches!(read, Err(StateError::Unavailable(_))), "{read:?}");
    // Of one that was unpinned meanwhile, they are gone.
    let gone = mock!(Client::get_item).then_output(|| GetItemOutput::builder().build());
    assert!(!table(&[&listed(vec![]), &gone]).each_pinned_tag(&app, &pin, |_| {}).await.unwrap());
}

#[tokio::test]
async fn a_run_is_unpinned_although_nobody_could_take_away_what_was_kept() {
    let (app, pin) = (app(), pin());
    let committed = mock!(Client::transact_write_items)
        .match_requests(|request| request.transact_items().len() == 3)
        .then_output(|| TransactWriteItemsOutput::builder().build());
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"no"}"#;
    let failed = mock!(Client::get_item).sequence().http_status(500, Some(body.into())).build();
    assert!(table(&[&committed, &failed]).unpin(&app, &pin, None).await.unwrap());
    assert_eq!((committed.num_calls(), failed.num_calls()), (1, 1));
}
