//! What became of the last garbage collections.

use moorage_domain::collection::Collection;

use crate::{
    StateError, Table,
    key::{collections_pk, prefix},
    table::Query,
};

/// Collections that are read together: with one a day, more than anybody lets pass without a good one.
const PAGE: i32 = 20;

impl Table {
    /// The last collections, newest first, without the names of what they left alone: back to the last one that came to a
    /// good end, or all that are kept, however many have been held since, or only reported.
    pub async fn recent_collections(&self) -> Result<Vec<Collection>, StateError> {
        let (mut recent, mut after) = (Vec::<Collection>::new(), None);
        loop {
            let pk = collections_pk();
            let query = Query { pk, prefix: prefix::COLLECTION, newest_first: true, limit: Some(PAGE), after };
            let page = self.page::<Collection>(query).await?;
            recent.extend(page.items.into_iter().map(|it| Collection { skipped: Vec::new(), ..it }));
            after = page.next;
            if after.is_none() || recent.iter().any(Collection::is_good) {
                return Ok(recent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{Client, operation::query::QueryOutput, types::AttributeValue};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use moorage_domain::{
        Timestamp,
        collection::{CollectRequest, Skip},
    };
    use uuid::Uuid;

    use super::*;
    use crate::table::Item;

    fn page(collections: &[Collection], is_first: bool) -> Rule {
        let items: Vec<Item> = collections.iter().map(|it| serde_dynamo::to_item(it).unwrap()).collect();
        let rule = mock!(Client::query).match_requests(move |it| it.exclusive_start_key().is_none() == is_first);
        rule.then_output(move || {
            let last = [("pk", "GC"), ("sk", "COLLECTION#")];
            let last = last.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
            let output = QueryOutput::builder().set_items(Some(items.clone()));
            output.set_last_evaluated_key(Some(Item::from(last))).build()
        })
    }

    #[tokio::test]
    async fn the_last_good_collection_is_found_behind_any_number_of_others() {
        let at = Timestamp::from_unix;
        let collection = |dry_run| {
            let request = CollectRequest { dry_run, ..CollectRequest::default() };
            let mut collection = Collection::new(Uuid::nil(), request, at(7));
            collection.skip("acme/app".parse().unwrap(), Skip::Busy);
            Collection { ended_at: Some(at(9)), ..collection }
        };
        let (dry, good) = (vec![collection(true); 20], [collection(false)]);
        let rules = [page(&dry, true), page(&good, false)];
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&rules[0], &rules[1]]);
        let recent = Table::new(client, "table").recent_collections().await.unwrap();
        assert_eq!((recent.len(), recent.last().map(Collection::is_good)), (21, Some(true)));
        assert!(recent.iter().all(|it| it.skipped.is_empty() && it.counts.repositories_skipped == 1));
    }
}
