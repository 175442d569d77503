//! Items of the table as they are stored, for what no call brings about: a deletion that was interrupted, a run that was
//! killed.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use moorage_domain::RepositoryName;

use crate::stack::Stack;

/// An item's key.
#[derive(Debug, Clone)]
pub struct Key(pub String, pub String);

impl Key {
    /// Of a repository.
    pub fn repository(name: &RepositoryName) -> Self {
        Self(format!("NS#{}", name.namespace()), format!("REPOSITORY#{}", name.name()))
    }

    /// Of a repository's mirror.
    pub fn mirror(name: &RepositoryName) -> Self {
        Self(format!("REPO#{name}"), "MIRROR".to_owned())
    }

    /// Of a run.
    pub fn run(name: &RepositoryName, id: &str) -> Self {
        Self(format!("REPO#{name}"), format!("RUN#{id}"))
    }

    /// Of when a repository's registry was last asked what refers to its images.
    pub fn referrers(name: &RepositoryName) -> Self {
        Self(format!("REPO#{name}"), "REFERRERS".to_owned())
    }

    /// Of something in a namespace.
    pub fn within(namespace: &str, what: &str) -> Self {
        Self(format!("NS#{namespace}"), what.to_owned())
    }

    fn attributes(&self) -> HashMap<String, AttributeValue> {
        let key = [("pk", &self.0), ("sk", &self.1)];
        key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.clone()))).into()
    }
}

/// Sets attributes of an item.
pub async fn set<const N: usize>(stack: &Stack, key: &Key, attributes: [(&str, AttributeValue); N]) {
    let mut update = Client::new(&stack.aws).update_item().table_name(&stack.table).set_key(Some(key.attributes()));
    let assignments: Vec<_> = attributes.iter().map(|(name, _)| format!("#{name} = :{name}")).collect();
    for (name, value) in attributes {
        update = update.expression_attribute_names(format!("#{name}"), name);
        update = update.expression_attribute_values(format!(":{name}"), value);
    }
    update.update_expression(format!("SET {}", assignments.join(", "))).send().await.unwrap();
}

/// Takes an attribute away from an item.
pub async fn remove(stack: &Stack, key: &Key, attribute: &str) {
    let update = Client::new(&stack.aws).update_item().table_name(&stack.table).set_key(Some(key.attributes()));
    let update = update.update_expression("REMOVE #name").expression_attribute_names("#name", attribute);
    update.send().await.unwrap();
}

/// Until when something lasts, in Unix seconds: claims, locks, leases, sentences, slots, the patience with what was asked for, and whatever is kept for a while.
const MOMENTS: [&str; 9] = [
    "sync_requested_at",
    "sync_expiration_date",
    "sync_left_until",
    "left_until",
    "lock_until",
    "held_until",
    "since",
    "until",
    "expires_at",
];

/// Lets so much time pass, as far as anything in the table lasts.
pub async fn let_pass(stack: &Stack, by: Duration) {
    let client = Client::new(&stack.aws);
    let mut items = client.scan().table_name(&stack.table).into_paginator().items().send();
    while let Some(item) = items.next().await {
        let item = item.unwrap();
        let moments: Vec<&str> = MOMENTS.into_iter().filter(|name| item.contains_key(*name)).collect();
        if moments.is_empty() {
            continue;
        }
        let earlier: Vec<String> = moments.iter().map(|name| format!("#{name} = #{name} - :by")).collect();
        let key = ["pk", "sk"].map(|name| (name.to_owned(), item[name].clone()));
        let update = client.update_item().table_name(&stack.table).set_key(Some(key.into()));
        let update = update.update_expression(format!("SET {}", earlier.join(", ")));
        let update = update.expression_attribute_values(":by", AttributeValue::N(by.as_secs().to_string()));
        let update = moments.iter().fold(update, |it, name| it.expression_attribute_names(format!("#{name}"), *name));
        update.send().await.unwrap();
    }
}

/// Deletes an item.
pub async fn delete(stack: &Stack, key: &Key) {
    let delete = Client::new(&stack.aws).delete_item().table_name(&stack.table).set_key(Some(key.attributes()));
    delete.send().await.unwrap();
}

/// All items of a repository but the outcomes of runs, by their sort keys: of outcomes those are not shown that are not the
/// run's.
pub async fn all_of(stack: &Stack, name: &RepositoryName) -> BTreeMap<String, BTreeMap<String, AttributeValue>> {
    let query = Client::new(&stack.aws).query().table_name(&stack.table).key_condition_expression("pk = :pk");
    let query = query.expression_attribute_values(":pk", text(&format!("REPO#{name}"))).consistent_read(true);
    let mut items = query.into_paginator().items().send();
    let mut all = BTreeMap::new();
    while let Some(item) = items.next().await {
        let item: BTreeMap<_, _> = item.unwrap().into_iter().collect();
        let key = item["sk"].as_s().unwrap().clone();
        if !key.starts_with("OUTCOMES#") {
            all.insert(key, item);
        }
    }
    all
}

/// Whether there is an item.
pub async fn is_there(stack: &Stack, key: &Key) -> bool {
    get(stack, key).await.is_some()
}

/// An item, if there is one.
pub async fn get(stack: &Stack, key: &Key) -> Option<HashMap<String, AttributeValue>> {
    let get = Client::new(&stack.aws).get_item().table_name(&stack.table).set_key(Some(key.attributes()));
    get.send().await.unwrap().item
}

/// A text.
pub fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// A number.
pub fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A moment that lies ahead.
pub fn ahead(by: Duration) -> AttributeValue {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    AttributeValue::N((now + by).as_secs().to_string())
}
