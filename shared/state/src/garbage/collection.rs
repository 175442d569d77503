//! Garbage collections: one at a time, and what became of each.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Timestamp, collection::Collection};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    clock::moment,
    key::{Key, collections_pk, prefix},
    table::{Query, conditional},
};

/// How long collections are kept.
const RETENTION: Duration = Duration::from_secs(62 * 86_400);
/// Collections that are read together: each may have some kilobytes of names.
const PAGE: i32 = 20;

#[derive(Serialize, Deserialize)]
pub(crate) struct CollectionItem {
    #[serde(flatten)]
    collection: Collection,
    expires_at: Timestamp,
}

impl Table {
    /// Takes the lease for `holder` until a moment, if nobody has it, or only `before`; tells whether that is so. What
    /// hands over says whom it is left to, and whoever takes it over is somebody else: a request that comes twice finds it
    /// taken. It spares double work: two collectors at once do no harm.
    pub async fn take_collector_lease(
        &self,
        holder: Uuid,
        before: Option<Uuid>,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        let before = before.unwrap_or(holder);
        let update = self.update(Key::CollectorLease);
        let update = update
            .update_expression("SET holder = :holder, held_until = :until")
            .condition_expression("attribute_not_exists(holder) OR holder = :before OR held_until <= :now")
            .expression_attribute_values(":holder", AttributeValue::S(holder.to_string()))
            .expression_attribute_values(":before", AttributeValue::S(before.to_string()))
            .expression_attribute_values(":until", moment(until))
            .expression_attribute_values(":now", moment(now));
        match conditional(update).await {
            Ok(()) => Ok(true),
            Err(StateError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives the lease up, if `holder` has it.
    pub async fn give_up_collector_lease(&self, holder: Uuid) -> Result<(), StateError> {
        let holder = (":holder", AttributeValue::S(holder.to_string()));
        match self.delete_if(Key::CollectorLease, "holder = :holder", holder).await {
            Err(StateError::Conflict) => Ok(()),
            result => result,
        }
    }

    /// Writes how far a collection is.
    pub async fn put_collection(&self, collection: &Collection) -> Result<(), StateError> {
        let expires_at = collection.started_at.plus(RETENTION);
        let item = CollectionItem { collection: collection.clone(), expires_at };
        self.put(Key::Collection(collection.started_at, collection.run_id), &item).await
    }

    /// The newest collection that `wanted` takes, of all that are kept.
    pub async fn newest_collection(
        &self,
        wanted: impl Fn(&Collection) -> bool,
    ) -> Result<Option<Collection>, StateError> {
        let mut after = None;
        loop {
            let pk = collections_pk();
            let query = Query { pk, prefix: prefix::COLLECTION, newest_first: true, limit: Some(PAGE), after };
            let page = self.page::<CollectionItem>(query).await?;
            if let Some(found) = page.items.into_iter().map(|item| item.collection).find(&wanted) {
                return Ok(Some(found));
            }
            after = page.next;
            if after.is_none() {
                return Ok(None);
            }
        }
    }
}
