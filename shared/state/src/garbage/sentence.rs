//! The sentences of blobs that nothing linked to when a collector looked.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Digest, condemned::Sentence};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, garbage_pk, prefix},
    reads::Reads,
    table::conditional,
};

#[derive(Serialize, Deserialize)]
pub(crate) struct SentenceItem {
    digest: Digest,
    #[serde(flatten)]
    sentence: Sentence,
}

impl Reads {
    /// The sentences of some blobs, as they are now: those that have none are left out.
    pub async fn sentences(&self, digests: &[&Digest]) -> Result<HashMap<Digest, Sentence>, StateError> {
        let keys = digests.iter().map(|digest| Key::Sentence(digest).attributes()).collect();
        let items: Vec<SentenceItem> = serde_dynamo::from_items(self.items(keys).await?)?;
        Ok(items.into_iter().map(|item| (item.digest, item.sentence)).collect())
    }
}

impl Table {
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
}

/// Whether a race was won.
fn won(result: Result<(), StateError>) -> Result<bool, StateError> {
    match result {
        Ok(()) => Ok(true),
        Err(StateError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}
