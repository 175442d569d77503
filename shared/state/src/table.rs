//! The table's primitives: typed get, put, delete, query.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        delete_item::{DeleteItemError, builders::DeleteItemFluentBuilder},
        put_item::{PutItemError, builders::PutItemFluentBuilder},
        query::builders::QueryFluentBuilder,
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    types::{AttributeValue, DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest},
};
use moorage_domain::Fence;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{StateError, failed},
    expression::{Change, names},
    fenced::guarded,
    key::{Key, PK, SK},
    race::jitter,
};

/// Writes in one `BatchWriteItem`: DynamoDB's limit.
const BATCH_SIZE: usize = 25;
/// Reads in one `BatchGetItem`: DynamoDB's limit.
pub(crate) const READ_BATCH_SIZE: usize = 100;
/// How often what a batch leaves unprocessed is sent. With the pause doubling from [`BATCH_PAUSE`] that is about six
/// seconds.
pub(crate) const BATCH_TRIES: u32 = 8;
/// The first pause before unprocessed items are sent again.
pub(crate) const BATCH_PAUSE: Duration = Duration::from_millis(25);

/// How long the past of a tag is kept, unless the stack says otherwise: as long as Quay keeps it by default.
const TAG_RETENTION: Duration = Duration::from_secs(14 * 86_400);

/// The table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) tag_retention: Duration,
    /// Where the right ends by which somebody writes, if it does.
    pub(crate) fence: Option<Fence>,
}

pub(crate) type Item = HashMap<String, AttributeValue>;

/// A page of a query: its items, and the sort key to go on from.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

impl Table {
    /// The table `name`.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into(), tag_retention: TAG_RETENTION, fence: None }
    }

    /// The same table, in which the past of tags is kept for `retention`.
    #[must_use]
    pub fn keep_past_tags(self, retention: Duration) -> Self {
        Self { tag_retention: retention, ..self }
    }

    /// The same table, for one who writes by a right that ends: then what no condition keeps from being late fails with
    /// [`StateError::Closed`].
    #[must_use]
    pub fn fenced(&self, fence: &Fence) -> Self {
        Self { fence: Some(fence.clone()), ..self.clone() }
    }

    /// Reads an item, strongly consistent: every read here is followed by a decision.
    pub(crate) async fn get<T: DeserializeOwned>(&self, key: Key<'_>) -> Result<Option<T>, StateError> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key.attributes()));
        let answer = request.consistent_read(true).send().await.map_err(failed)?;
        answer.item.map(serde_dynamo::from_item).transpose().map_err(StateError::Corrupt)
    }

    /// Writes an item, whatever was there.
    pub(crate) async fn put<T: Serialize>(&self, key: Key<'_>, value: &T) -> Result<(), StateError> {
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item(key, value)?));
        settle_put(request).await
    }

    /// Writes an item where there is none; [`StateError::Conflict`] where there is one.
    pub(crate) async fn create<T: Serialize>(&self, key: Key<'_>, value: &T) -> Result<(), StateError> {
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item(key, value)?));
        settle_put(request.condition_expression("attribute_not_exists(#pk)").expression_attribute_names("#pk", PK))
            .await
    }

    /// Writes an item, if `condition` holds of what is there; [`StateError::Conflict`] where it does not. `#mine` and
    /// `:mine` stand for an attribute and a value.
    pub(crate) async fn put_if<T: Serialize>(
        &self,
        key: Key<'_>,
        value: &T,
        condition: &str,
        (attribute, mine): (&str, AttributeValue),
    ) -> Result<(), StateError> {
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item(key, value)?));
        let request = request.condition_expression(condition).expression_attribute_names("#mine", attribute);
        settle_put(request.expression_attribute_values(":mine", mine)).await
    }

    /// An update of an item, still to be told what.
    pub(crate) fn update(&self, key: Key<'_>) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.name).set_key(Some(key.attributes()))
    }

    /// An update of an item on a condition. `values` are those of the expressions' placeholders.
    pub(crate) fn change(&self, key: Key<'_>, change: Change<'_>, values: Item) -> UpdateItemFluentBuilder {
        let mut update = self.update(key).update_expression(change.update).condition_expression(change.condition);
        for name in names(change.update).chain(names(change.condition)) {
            update = update.expression_attribute_names(format!("#{name}"), name);
        }
        // DynamoDB takes no empty map.
        update.set_expression_attribute_values((!values.is_empty()).then_some(values))
    }

    /// Deletes an item; [`StateError::NotFound`] where there is none.
    pub(crate) async fn delete(&self, key: Key<'_>) -> Result<(), StateError> {
        let request = self.client.delete_item().table_name(&self.name).set_key(Some(key.attributes()));
        let deleted = request.condition_expression("attribute_exists(#pk)").expression_attribute_names("#pk", PK);
        match settle_delete(deleted).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }

    /// Deletes an item of which a condition holds; [`StateError::Conflict`] where it does not.
    pub(crate) async fn delete_if(
        &self,
        key: Key<'_>,
        condition: &str,
        (name, value): (&str, AttributeValue),
    ) -> Result<(), StateError> {
        let request = self.client.delete_item().table_name(&self.name).set_key(Some(key.attributes()));
        settle_delete(request.condition_expression(condition).expression_attribute_values(name, value)).await
    }

    /// Writes many items, whatever was there.
    pub(crate) async fn put_all(&self, items: Vec<Item>) -> Result<(), StateError> {
        let request = |item| {
            let put = PutRequest::builder().set_item(Some(item)).build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
        };
        let requests = items.into_iter().map(request).collect::<Result<Vec<_>, _>>();
        let requests = requests.map_err(|error| StateError::Unavailable(error.to_string()))?;
        for batch in requests.chunks(BATCH_SIZE) {
            self.write_batch(batch.to_vec()).await?;
        }
        Ok(())
    }

    /// Deletes all of a partition's items whose sort key begins with `prefix`.
    pub(crate) async fn delete_all(&self, pk: &str, prefix: &str) -> Result<(), StateError> {
        loop {
            let query = Query { pk: pk.to_owned(), prefix, newest_first: false, limit: None, after: None };
            let page = self.page::<SortKey>(query).await?;
            if page.items.is_empty() {
                return Ok(());
            }
            self.delete_many(page.items.into_iter().map(|SortKey { sk }| start(pk, sk)).collect()).await?;
        }
    }

    /// The keys of all of a partition's items whose sort key begins with `prefix`.
    pub(crate) async fn keys(&self, pk: &str, prefix: &str) -> Result<Vec<Item>, StateError> {
        let keys = self.all::<SortKey>(pk.to_owned(), prefix).await?;
        Ok(keys.into_iter().map(|SortKey { sk }| start(pk, sk)).collect())
    }

    /// Deletes the items of these keys; those that are not there are no error.
    pub(crate) async fn delete_many(&self, keys: Vec<Item>) -> Result<(), StateError> {
        let request = |key| {
            let delete = DeleteRequest::builder().set_key(Some(key)).build();
            delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
        };
        let requests = keys.into_iter().map(request).collect::<Result<Vec<_>, _>>();
        let requests = requests.map_err(|error| StateError::Unavailable(error.to_string()))?;
        for batch in requests.chunks(BATCH_SIZE) {
            self.write_batch(batch.to_vec()).await?;
        }
        Ok(())
    }

    /// Reads many items, in no order; those that are not there are left out.
    pub(crate) async fn get_all<T: DeserializeOwned>(&self, keys: Vec<Item>) -> Result<Vec<T>, StateError> {
        Ok(serde_dynamo::from_items(self.get_items(keys).await?)?)
    }

    /// As [`Self::get_all`], as they are stored.
    pub(crate) async fn get_items(&self, keys: Vec<Item>) -> Result<Vec<Item>, StateError> {
        let mut found = Vec::new();
        for batch in keys.chunks(READ_BATCH_SIZE) {
            let mut open = batch.to_vec();
            for tries in 0..BATCH_TRIES {
                let request = KeysAndAttributes::builder().set_keys(Some(std::mem::take(&mut open)));
                let request = request.consistent_read(true).build();
                let request = request.map_err(|error| StateError::Unavailable(error.to_string()))?;
                let request = self.client.batch_get_item().request_items(&self.name, request);
                let answer = request.send().await.map_err(failed)?;
                found.extend(answer.responses.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default());
                let left = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
                open = left.map(|left| left.keys).unwrap_or_default();
                if open.is_empty() {
                    break;
                }
                tokio::time::sleep(BATCH_PAUSE * 2u32.pow(tries)).await;
            }
            if !open.is_empty() {
                return Err(StateError::Unavailable(format!("{} items stayed unread", open.len())));
            }
        }
        Ok(found)
    }

    /// An update that sets `attributes`, each under its own name as placeholder.
    pub(crate) fn set(&self, key: Key<'_>, attributes: Item) -> UpdateItemFluentBuilder {
        let mut update = self.client.update_item().table_name(&self.name).set_key(Some(key.attributes()));
        let mut assignments = Vec::with_capacity(attributes.len());
        for (name, value) in attributes {
            assignments.push(format!("#{name} = :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), &name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        update.update_expression(format!("SET {}", assignments.join(", ")))
    }

    async fn write_batch(&self, mut batch: Vec<WriteRequest>) -> Result<(), StateError> {
        for tries in 0..BATCH_TRIES {
            let request = self.client.batch_write_item().request_items(&self.name, batch);
            let answer = guarded(self.fence.as_ref(), request.customize()).send().await.map_err(failed)?;
            batch = answer.unprocessed_items.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default();
            if batch.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(BATCH_PAUSE * 2u32.pow(tries)).await;
        }
        Err(StateError::Unavailable(format!("{} items stayed unprocessed", batch.len())))
    }

    /// Reads one page of a partition's items whose sort key begins with `prefix`.
    pub(crate) async fn page<T: DeserializeOwned>(&self, query: Query<'_>) -> Result<Page<T>, StateError> {
        let Query { pk, prefix, newest_first, limit, after } = query;
        let start = after.map(|sk| start(&pk, sk));
        let mut request = self.client.query().table_name(&self.name).expression_attribute_names("#pk", PK);
        request = request.expression_attribute_values(":pk", AttributeValue::S(pk));
        if prefix.is_empty() {
            request = request.key_condition_expression("#pk = :pk");
        } else {
            request = request.key_condition_expression("#pk = :pk AND begins_with(#sk, :sk)");
            request = request.expression_attribute_names("#sk", SK);
            request = request.expression_attribute_values(":sk", AttributeValue::S(prefix.to_owned()));
        }
        Self::fetch(request, newest_first, limit, start).await
    }

    /// Reads one page of a partition's items whose sort keys lie from `range.0` to `range.1`, the last first.
    pub(crate) async fn page_between<T: DeserializeOwned>(
        &self,
        pk: String,
        range: (String, String),
        limit: i32,
        after: Option<String>,
    ) -> Result<Page<T>, StateError> {
        let start = after.map(|sk| start(&pk, sk));
        let request = self.client.query().table_name(&self.name);
        let request = request.key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to");
        let request = request.expression_attribute_names("#pk", PK).expression_attribute_names("#sk", SK);
        let request = request.expression_attribute_values(":pk", AttributeValue::S(pk));
        let request = request.expression_attribute_values(":from", AttributeValue::S(range.0));
        let request = request.expression_attribute_values(":to", AttributeValue::S(range.1));
        Self::fetch(request, true, Some(limit), start).await
    }

    async fn fetch<T: DeserializeOwned>(
        request: QueryFluentBuilder,
        newest_first: bool,
        limit: Option<i32>,
        start: Option<Item>,
    ) -> Result<Page<T>, StateError> {
        let request = request.scan_index_forward(!newest_first).set_limit(limit).set_exclusive_start_key(start);
        let answer = request.consistent_read(true).send().await.map_err(failed)?;
        let next = answer.last_evaluated_key.and_then(|mut key| key.remove(SK));
        let next = next.and_then(|sk| sk.as_s().ok().cloned());
        Ok(Page { items: serde_dynamo::from_items(answer.items.unwrap_or_default())?, next })
    }

    /// Reads all of a partition's items whose sort key begins with `prefix`.
    pub(crate) async fn all<T: DeserializeOwned>(&self, pk: String, prefix: &str) -> Result<Vec<T>, StateError> {
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let query = Query { pk: pk.clone(), prefix, newest_first: false, limit: None, after };
            let page = self.page(query).await?;
            items.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(items);
            }
        }
    }
}

/// What tells the items of a partition apart.
#[derive(serde::Deserialize)]
struct SortKey {
    sk: String,
}

/// What [`Table::page`] asks for.
pub(crate) struct Query<'a> {
    pub(crate) pk: String,
    pub(crate) prefix: &'a str,
    pub(crate) newest_first: bool,
    pub(crate) limit: Option<i32>,
    pub(crate) after: Option<String>,
}

/// The key of an item that a query begins behind.
fn start(pk: &str, sk: String) -> Item {
    let key = [(PK, pk.to_owned()), (SK, sk)];
    key.into_iter().map(|(name, value)| (name.to_owned(), AttributeValue::S(value))).collect()
}

/// Those of some items that can be read. The others are named in the log.
pub(crate) fn readable<T: DeserializeOwned>(items: Vec<Item>) -> Vec<T> {
    let read = |item: Item| {
        let pk = item.get(PK).and_then(|pk| pk.as_s().ok()).cloned().unwrap_or_default();
        serde_dynamo::from_item(item).inspect_err(|error| tracing::error!(pk, %error, "an item cannot be read")).ok()
    };
    items.into_iter().filter_map(read).collect()
}

/// A value with its key's attributes.
pub(crate) fn item<T: Serialize>(key: Key<'_>, value: &T) -> Result<Item, StateError> {
    let mut item: Item = serde_dynamo::to_item(value)?;
    item.extend(key.attributes());
    Ok(item)
}

/// Sends an update with a condition; [`StateError::Conflict`] where that does not hold.
pub(crate) async fn conditional(update: UpdateItemFluentBuilder) -> Result<(), StateError> {
    let sent = patiently(|| update.clone().send(), UpdateItemError::is_transaction_conflict_exception).await;
    settle(sent, UpdateItemError::is_conditional_check_failed_exception)
}

async fn settle_put(put: PutItemFluentBuilder) -> Result<(), StateError> {
    let sent = patiently(|| put.clone().send(), PutItemError::is_transaction_conflict_exception).await;
    settle(sent, PutItemError::is_conditional_check_failed_exception)
}

pub(crate) async fn settle_delete(delete: DeleteItemFluentBuilder) -> Result<(), StateError> {
    let sent = patiently(|| delete.clone().send(), DeleteItemError::is_transaction_conflict_exception).await;
    settle(sent, DeleteItemError::is_conditional_check_failed_exception)
}

/// Sends a write, and waits for transactions on its item, which take milliseconds: a change of a mirror must not fail the
/// sync that renews its claim.
async fn patiently<T, E, F>(send: impl Fn() -> F, is_busy: fn(&E) -> bool) -> Result<T, SdkError<E>>
where
    F: Future<Output = Result<T, SdkError<E>>>,
{
    for tries in 0..BATCH_TRIES {
        match send().await {
            Err(SdkError::ServiceError(error)) if is_busy(error.err()) => {
                tokio::time::sleep(jitter(BATCH_PAUSE, tries)).await;
            }
            result => return result,
        }
    }
    send().await
}

fn settle<T, E>(sent: Result<T, SdkError<E>>, is_refused: fn(&E) -> bool) -> Result<(), StateError>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match sent {
        Ok(_) => Ok(()),
        Err(SdkError::ServiceError(error)) if is_refused(error.err()) => Err(StateError::Conflict),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests;
