//! People and their tokens, by a table that is in memory.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use aws_sdk_dynamodb::{
    Client,
    operation::{batch_get_item::BatchGetItemOutput, get_item::GetItemOutput, query::QueryOutput},
    types::AttributeValue,
};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use serde_json::{Value, json};

use super::*;

type Item = std::collections::HashMap<String, AttributeValue>;

const ISSUER: &str = "https://idp.example.com";
const ID: &str = "00000007-0000-4000-8000-000000000000";

/// A table with some items; and how many requests it was asked.
fn table(items: &[Value]) -> (Table, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let items: Arc<Vec<Item>> = Arc::new(items.iter().map(|item| serde_dynamo::to_item(item).unwrap()).collect());
    let find = move |key: &Item| items.iter().find(|item| ["pk", "sk"].iter().all(|it| item[*it] == key[*it])).cloned();
    let find = Arc::new(Mutex::new(find));
    let counted = |requests: &Arc<AtomicUsize>| {
        let requests = Arc::clone(requests);
        move || _ = requests.fetch_add(1, Ordering::Relaxed)
    };
    let (count, found) = (counted(&requests), Arc::clone(&find));
    let get = mock!(Client::get_item).then_compute_output(move |request| {
        count();
        GetItemOutput::builder().set_item(found.lock().unwrap()(request.key().unwrap())).build()
    });
    let count = counted(&requests);
    let batch = mock!(Client::batch_get_item).then_compute_output(move |request| {
        count();
        let keys = request.request_items().unwrap()["table"].keys();
        let found = keys.iter().filter_map(|key| find.lock().unwrap()(key)).collect();
        BatchGetItemOutput::builder().responses("table", found).build()
    });
    let count = counted(&requests);
    let query = mock!(Client::query).then_compute_output(move |_| {
        count();
        QueryOutput::builder().build()
    });
    (Table::new(mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&get, &batch, &query]), "table"), requests)
}

fn user(name: &str) -> Value {
    json!({
        "pk": format!("USER#{name}"), "sk": "USER", "name": name, "id": ID, "issuer": ISSUER, "subject": "1",
        "created": 0, "last_accessed": 0, "signed_in": 0, "enabled": true,
    })
}

/// A token of somebody of this name, and what they show.
fn token(name: &str) -> (Value, String) {
    let number = Uuid::from_u128(name.bytes().map(u128::from).sum());
    let shown = format!("{}{}", number.simple(), "ab".repeat(32));
    let token = json!({
        "pk": format!("APPTOKEN#{number}"), "sk": "TOKEN", "id": number, "title": "laptop", "created": 0,
        "user": {"name": name, "id": ID}, "secret_hash": AppToken::hash_of(&shown),
    });
    (token, shown)
}

fn people(items: &[Value]) -> (People, Arc<AtomicUsize>) {
    let (table, requests) = table(items);
    (People::new(table, Provider::new(ISSUER, "platform".parse().ok())), requests)
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_000)
}

async fn login(people: &People, name: &str, shown: &str) -> Option<String> {
    let (id, hash) = (AppToken::id_of(shown), AppToken::hash_of(shown));
    people.login(name, (id, &hash), now()).await.unwrap().map(|(name, _)| name.to_string())
}

#[tokio::test]
async fn an_app_token_goes_with_its_users_name_or_none() {
    let (stored, shown) = token("ann");
    let items = || vec![stored.clone(), user("ann"), user("bob")];
    for (name, expected, requests) in
        [("$app", Some("ann"), 2), ("ann", Some("ann"), 1), ("bob", None, 1), ("eve", None, 1)]
    {
        let (people, asked) = people(&items());
        for _ in 0..3 {
            assert_eq!(login(&people, name, &shown).await.as_deref(), expected, "{name}");
        }
        assert_eq!(asked.load(Ordering::Relaxed), requests, "{name}: it is kept, also that it is not so");
        assert_eq!(login(&people, "ann", &shown).await.as_deref(), Some("ann"), "whoever asked before");
    }
    let (people, _) = people(&items());
    let wrong = format!("{}{}", &shown[..32], "cd".repeat(32));
    assert_eq!(login(&people, "ann", &wrong).await, None);
    assert_eq!(login(&people, "$app", &wrong).await, None);
    assert_eq!(login(&people, "$app", &format!("{}{}", "0".repeat(32), &shown[32..])).await, None, "another id");
    for shown in ["", "secret", &shown[1..]] {
        assert_eq!(login(&people, "ann", shown).await, None);
    }
}

#[tokio::test]
async fn who_may_not_be_here_is_nobody() {
    let (stored, shown) = token("ann");
    let with = |name: &str, value: Value| {
        let mut ann = user("ann");
        ann[name] = value;
        ann
    };
    let is_known = async |items: Vec<Value>| {
        let (people, _) = people(&items);
        (login(&people, "ann", &shown).await.is_some(), login(&people, "$app", &shown).await.is_some())
    };
    assert_eq!(is_known(vec![stored.clone(), user("ann")]).await, (true, true));
    let other = json!("00000008-0000-4000-8000-000000000000");
    for items in [
        vec![stored.clone()],
        vec![user("ann")],
        vec![stored.clone(), with("id", other)],
        vec![stored.clone(), with("enabled", json!(false))],
        vec![stored.clone(), with("issuer", json!("https://other.example.com"))],
    ] {
        assert_eq!(is_known(items).await, (false, false));
    }
    let mut ended = stored.clone();
    ended["expires_at"] = json!(1_000);
    assert_eq!(is_known(vec![ended, user("ann")]).await, (false, false));
    let (table, requests) = table(&[stored, user("ann")]);
    let nobody = People::new(table, Provider::new("", "platform".parse().ok()));
    assert_eq!(login(&nobody, "ann", &shown).await, None, "there is no provider");
    assert_eq!(requests.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_user_is_known_with_their_teams() {
    let (stored, shown) = token("ann");
    let id = AppToken::id_of(&shown).unwrap();
    let membership = format!("acme#dev#{}#{}", Uuid::nil().simple(), Uuid::nil().simple());
    let mut teams: Item = serde_dynamo::to_item(json!({
        "pk": "USERROLES#ann", "sk": "TEAMS", "user": "ann", "user_id": ID,
    }))
    .unwrap();
    teams.insert("teams".into(), AttributeValue::Ss(vec![membership]));
    let teams: Value = serde_dynamo::from_item(teams).unwrap();
    let name = "ann".parse().unwrap();
    let (people, requests) = people(&[stored, user("ann"), teams]);
    let (person, identity) = people.identity(&name, id, now()).await.unwrap().unwrap();
    assert!(!person.is_superuser);
    assert_eq!(identity.name, name);
    assert_eq!(requests.load(Ordering::Relaxed), 2, "the bound teams, at the same time");
    assert!(people.identity(&name, id, now()).await.unwrap().is_some());
    assert_eq!(requests.load(Ordering::Relaxed), 2);
}

#[test]
fn superusers_are_those_of_the_group() {
    let provider = |group: &str| Provider::new(ISSUER, group.parse().ok()).unwrap();
    let (stored, _) = token("ann");
    let mut ann: User = serde_dynamo::from_item(serde_dynamo::to_item::<_, Item>(user("ann")).unwrap()).unwrap();
    let stored: AppToken = serde_dynamo::from_item(serde_dynamo::to_item::<_, Item>(stored).unwrap()).unwrap();
    let is_superuser = |ann: &User, group| provider(group).known(&stored, ann.clone(), now()).unwrap().is_superuser;
    assert!(!is_superuser(&ann, "platform"));
    ann.groups = ["platform".parse().unwrap()].into();
    assert!(is_superuser(&ann, "platform"));
    assert!(!is_superuser(&ann, "other") && !is_superuser(&ann, ""), "nobody is, where no group is named");
}

#[test]
fn groups_count_for_some_time_after_a_sign_in() {
    let provider = Provider::new(ISSUER, "platform".parse().ok()).unwrap();
    let (stored, _) = token("ann");
    let stored: AppToken = serde_dynamo::from_item(serde_dynamo::to_item::<_, Item>(stored).unwrap()).unwrap();
    let ann: User = serde_dynamo::from_item(serde_dynamo::to_item::<_, Item>(user("ann")).unwrap()).unwrap();
    let groups: std::collections::BTreeSet<_> = ["dev", "platform"].map(|group| group.parse().unwrap()).into();
    let known = |signed_in: i64, now: i64| {
        let mut ann = ann.clone();
        (ann.groups, ann.signed_in, ann.enabled) = (groups.clone(), Timestamp::from_unix(signed_in), true);
        let known = provider.known(&stored, ann, Timestamp::from_unix(now)).unwrap();
        (known.is_superuser, known.user.groups.len())
    };
    assert_eq!(known(1_000, 1_000 + GROUPS_COUNT - 1), (true, 2));
    assert_eq!(known(1_000, 1_000 + GROUPS_COUNT), (false, 0), "neither superuser nor in teams of groups");
    assert_eq!(known(1_000 + GROUPS_COUNT, 1_000 + GROUPS_COUNT), (true, 2), "who has signed in again");
    assert_eq!(known(1_060, 1_000), (true, 2), "a provider's clock that is ahead");
}

#[test]
fn a_registrys_token_names_the_app_token() {
    let id = Uuid::from_u128(7);
    assert_eq!(People::token_of(&People::credential(id)), Some(id));
    for credential in ["", "app:", "app:7", "0123456789abcdef", "federation:00000000-0000-0000-0000-000000000007"] {
        assert_eq!(People::token_of(credential), None, "{credential}");
    }
}
