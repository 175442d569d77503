//! Where pages end: the API hands that out as `next_page`, and what an earlier build has handed out still goes on there.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::operation::{get_item::GetItemOutput, query::QueryOutput};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use moorage_domain::{Namespace, RepositoryName, Timestamp, run::RunId};

use super::*;
use crate::usage_log::{LogOf, LogQuery};

const RUN: &str = "00000002-0000-4000-8000-000000000000";
const LOG: &str = "001790000000#00000007-0000-4000-8000-000000000000";
const REPOSITORY: &str = "app";
const API_TOKEN: &str = "00000008-0000-4000-8000-000000000000";

type Starts = Arc<Mutex<Vec<Option<Item>>>>;

/// A table with one item, where each page ends, and from where it is read.
fn table(kind: &str) -> (Table, Starts) {
    let (item, starts) = (read(kind), Starts::default());
    let key = Item::from(["pk", "sk"].map(|name| (name.to_owned(), item[name].clone())));
    let seen = Arc::clone(&starts);
    let page: Rule = mock!(Client::query).then_compute_output(move |query| {
        seen.lock().unwrap().push(query.exclusive_start_key().cloned());
        let is_first = query.exclusive_start_key().is_none();
        let (items, last) = if is_first { (vec![item.clone()], Some(key.clone())) } else { (vec![], None) };
        QueryOutput::builder().set_items(Some(items)).set_last_evaluated_key(last).build()
    });
    let none = mock!(Client::get_item).then_output(|| GetItemOutput::builder().build());
    (Table::new(mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&page, &none]), "table"), starts)
}

/// Whether the page after the first one was read from behind the kind's item.
fn goes_on(kind: &str, starts: &Starts) {
    let item = read(kind);
    let starts = starts.lock().unwrap();
    let Some(start) = starts.last().unwrap() else { panic!("{kind}: it began again") };
    assert_eq!((&start["pk"], &start["sk"]), (&item["pk"], &item["sk"]), "{kind}");
}

#[tokio::test]
async fn runs_go_on_behind_a_run() {
    let (table, starts) = table("Run");
    let (app, now): (RepositoryName, _) = ("acme/app".parse().unwrap(), Timestamp::from_unix(1_790_000_000));
    assert_eq!(table.runs(&app, 1, None, now).await.unwrap().next.as_deref(), Some(RUN));
    table.runs(&app, 1, Some(RunId(RUN.parse().unwrap())), now).await.unwrap();
    goes_on("Run", &starts);
}

#[tokio::test]
async fn logs_go_on_behind_an_entry() {
    let (app, acme): (RepositoryName, Namespace) = ("acme/app".parse().unwrap(), "acme".parse().unwrap());
    let now = Timestamp::from_unix(1_790_000_001);
    for (kind, log) in [("Log", LogOf::Repository(&app)), ("NamespaceLog", LogOf::Namespace(&acme))] {
        let (table, starts) = table(kind);
        let query = |after| LogQuery { from: Timestamp::from_unix(1_780_000_000), to: now, limit: 1, after };
        let page = table.log(log, query(None), now).await.unwrap();
        assert_eq!((page.entries.len(), page.next.as_deref()), (1, Some(LOG)), "{kind}");
        table.log(log, query(Some(LOG)), now).await.unwrap();
        goes_on(kind, &starts);
    }
}

#[tokio::test]
async fn repositories_go_on_behind_a_repository() {
    let (table, starts) = table("Repository");
    let acme = "acme".parse().unwrap();
    assert_eq!(table.repositories(&acme, 1, None).await.unwrap().next.as_deref(), Some(REPOSITORY));
    table.repositories(&acme, 1, Some(REPOSITORY)).await.unwrap();
    goes_on("Repository", &starts);
}

#[tokio::test]
async fn the_apis_tokens_go_on_behind_a_token() {
    let (table, starts) = table("ApiToken");
    table.api_tokens(|_| true, 1, Some(API_TOKEN), Timestamp::from_unix(1_790_000_000)).await.unwrap();
    goes_on("ApiToken", &starts);
}
