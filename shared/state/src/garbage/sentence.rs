//! The sentences of blobs that nothing linked to when a collector looked.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use moorage_domain::{Digest, condemned::Sentence};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    error::failed,
    key::{Key, garbage_pk, prefix},
    table::{BATCH_PAUSE, BATCH_TRIES, conditional},
};

/// Items in one `BatchGetItem`: DynamoDB's limit.
const BATCH_SIZE: usize = 100;

#[derive(Serialize, Deserialize)]
pub(crate) struct SentenceItem {
    digest: Digest,
    #[serde(flatten)]
    sentence: Sentence,
}

impl Table {
    /// The sentences of some blobs, as they are now: those that have none are left out.
    pub async fn sentences(&self, digests: &[&Digest]) -> Result<HashMap<Digest, Sentence>, StateError> {
        let mut sentences = HashMap::new();
        for batch in digests.chunks(BATCH_SIZE) {
            let keys = batch.iter().map(|digest| Key::Sentence(digest).attributes()).collect();
            let items = self.get_batch(keys).await?;
            let items: Vec<SentenceItem> = serde_dynamo::from_items(items)?;
            sentences.extend(items.into_iter().map(|item| (item.digest, item.sentence)));
        }
        Ok(sentences)
    }

    /// All sentences of the blobs whose hexadecimal value begins with this byte.
    pub async fn sentences_of(&self, shard: u8) -> Result<HashMap<Digest, Sentence>, StateError> {
        let items: Vec<SentenceItem> = self.all(garbage_pk(&format!("{shard:02x}")), prefix::SENTENCE).await?;
        Ok(items.into_iter().map(|item| (item.digest, item.sentence)).collect())
    }

    /// Passes a sentence on a blob that has none; tells whether it had none.
    pub async fn condemn(&self, digest: &Digest, sentence: Sentence) -> Result<bool, StateError> {
        won(self.create(Key::Sentence(digest), &SentenceItem { digest: digest.clone(), sentence }).await)
    }

    /// Replaces the sentence that was read by another one; tells whether it was still that one.
    pub async fn change_sentence(
        &self,
        digest: &Digest,
        read: &Sentence,
        sentence: Sentence,
    ) -> Result<bool, StateError> {
        let update = self.update(Key::Sentence(digest));
        let update = update
            .update_expression("SET generation = :new, since = :since, deleting = :deleting")
            .condition_expression("generation = :read")
            .expression_attribute_values(":new", serde_dynamo::to_attribute_value(sentence.generation)?)
            .expression_attribute_values(":since", serde_dynamo::to_attribute_value(sentence.since)?)
            .expression_attribute_values(":deleting", AttributeValue::Bool(sentence.deleting))
            .expression_attribute_values(":read", serde_dynamo::to_attribute_value(read.generation)?);
        won(conditional(update).await)
    }

    /// Lifts the sentence that was read; tells whether it was still that one.
    pub async fn lift_sentence(&self, digest: &Digest, read: &Sentence) -> Result<bool, StateError> {
        let generation = serde_dynamo::to_attribute_value(read.generation)?;
        won(self.delete_if(Key::Sentence(digest), "generation = :read", (":read", generation)).await)
    }

    /// Reads items, strongly consistent; what DynamoDB leaves unprocessed is asked for again.
    async fn get_batch(
        &self,
        keys: Vec<HashMap<String, AttributeValue>>,
    ) -> Result<Vec<crate::table::Item>, StateError> {
        let (mut keys, mut items) = (keys, Vec::new());
        for tries in 0..BATCH_TRIES {
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let wanted = wanted.map_err(|error| StateError::Unavailable(error.to_string()))?;
            let request = self.client.batch_get_item().request_items(&self.name, wanted);
            let answer = request.send().await.map_err(failed)?;
            items.extend(answer.responses.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default());
            let left = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
            keys = left.map(|left| left.keys).unwrap_or_default();
            if keys.is_empty() {
                return Ok(items);
            }
            tokio::time::sleep(BATCH_PAUSE * 2u32.pow(tries)).await;
        }
        Err(StateError::Unavailable(format!("{} items were not read", keys.len())))
    }
}

/// Whether a race was won.
fn won(result: Result<(), StateError>) -> Result<bool, StateError> {
    match result {
        Ok(()) => Ok(true),
        Err(StateError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}
