//! What became of the last garbage collections.

use moorage_domain::collection::Collection;

use crate::{
    StateError, Table,
    key::{collections_pk, prefix},
    table::Query,
};

/// How many of the last collections are looked at: with one a day, more than anybody lets pass without a good one.
const RECENT: i32 = 20;

impl Table {
    /// The last collections, newest first.
    pub async fn recent_collections(&self) -> Result<Vec<Collection>, StateError> {
        let pk = collections_pk();
        let query = Query { pk, prefix: prefix::COLLECTION, newest_first: true, limit: Some(RECENT), after: None };
        Ok(self.page(query).await?.items)
    }
}
