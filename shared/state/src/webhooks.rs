//! Webhooks of mirrors: one item for each, which ends with its mirror, and one for each id, by which it is found.

pub(crate) mod seal;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    Digest, RepositoryName,
    webhook::{Address, Webhook},
};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    expression::Change,
    key::Key,
    mirrors::active,
    table::Item,
    transaction::{Committed, Transaction},
};

/// A webhook as it is stored.
#[derive(Serialize, Deserialize)]
pub(crate) struct WebhookItem {
    #[serde(flatten)]
    webhook: Webhook,
    /// Where the index of what is under way has it: something waits for a sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active: Option<String>,
}

impl WebhookItem {
    fn of(webhook: &Webhook) -> Self {
        let active = webhook.waits().then(|| active::WEBHOOKS.to_owned());
        Self { webhook: webhook.clone(), active }
    }
}

/// Whose an id is. Whether it is still valid, the webhook says.
#[derive(Serialize, Deserialize)]
pub(crate) struct WebhookIdItem {
    repository: RepositoryName,
}

/// What is expected of a webhook that is written: that it is as it was read.
fn seen(before: &Webhook) -> AttributeValue {
    AttributeValue::N(before.revision.to_string())
}

impl Table {
    /// The webhook of a repository's mirror.
    pub async fn webhook(&self, repository: &RepositoryName) -> Result<Option<Webhook>, StateError> {
        let item: Option<WebhookItem> = self.get(Key::Webhook(repository)).await?;
        Ok(item.map(|item| item.webhook))
    }

    /// The repository of which this is the hash of a webhook's id, or was.
    pub async fn webhook_repository(&self, hash: &Digest) -> Result<Option<RepositoryName>, StateError> {
        let item: Option<WebhookIdItem> = self.get(Key::WebhookId(hash)).await?;
        Ok(item.map(|item| item.repository))
    }

    /// Gives a mirror a webhook, or another address to the one `before`. [`StateError::NotFound`] if there is no mirror,
    /// [`StateError::Conflict`] if there is another webhook by now.
    pub async fn put_webhook(
        &self,
        repository: &RepositoryName,
        before: Option<&Webhook>,
        webhook: &Webhook,
    ) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        transaction.expect(Key::Mirror(repository))?;
        let condition = "attribute_exists(#pk) AND NOT #is_deleted = :true";
        let values = Item::from([(":true".to_owned(), AttributeValue::Bool(true))]);
        let change = Change { update: "SET #has_webhook = :true", condition };
        transaction.update(Key::Repository(repository), change, values)?;
        let item = WebhookItem::of(webhook);
        match before {
            Some(before) => {
                let values = Item::from([(":seen".to_owned(), seen(before))]);
                transaction.put_if(Key::Webhook(repository), &item, "#revision = :seen", values)?;
            }
            None => transaction.create(Key::Webhook(repository), &item)?,
        }
        if !webhook.is_unaddressed {
            let id = WebhookIdItem { repository: repository.clone() };
            transaction.create(Key::WebhookId(&webhook.address.hash), &id)?;
        }
        match transaction.commit().await? {
            Committed::Yes => {}
            Committed::Refused(0 | 1) => return Err(StateError::NotFound),
            Committed::Refused(_) => return Err(StateError::Conflict),
        }
        self.let_ids_go(repository, before, Some(webhook)).await;
        Ok(())
    }

    /// Changes a webhook; [`StateError::Conflict`] if it is not as it was `before`, or gone.
    pub async fn change_webhook(
        &self,
        repository: &RepositoryName,
        before: &Webhook,
        webhook: &Webhook,
    ) -> Result<(), StateError> {
        let item = WebhookItem::of(webhook);
        self.put_if(Key::Webhook(repository), &item, "#mine = :mine", ("revision", seen(before))).await?;
        if before.previous != webhook.previous {
            self.let_ids_go(repository, Some(before), Some(webhook)).await;
        }
        Ok(())
    }

    /// Deletes a webhook; [`StateError::Conflict`] if it is not as it was read, or gone.
    pub async fn delete_webhook(&self, repository: &RepositoryName, webhook: &Webhook) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        let values = Item::from([(":seen".to_owned(), seen(webhook))]);
        transaction.delete(Key::Webhook(repository), Some(("#revision = :seen", values)))?;
        match transaction.commit().await? {
            Committed::Yes => {
                self.let_ids_go(repository, Some(webhook), None).await;
                Ok(())
            }
            Committed::Refused(_) => Err(StateError::Conflict),
        }
    }

    /// Removes the ids of a webhook that ended with its mirror. They lead nowhere without it.
    pub async fn forget_webhook(&self, webhook: &Webhook) -> Result<(), StateError> {
        self.forget_ids(Some(webhook), None).await
    }

    /// Removes the ids that a webhook had before a change, if that can be: the change has happened. Whoever was told that it had
    /// not would make it again, and end the address that senders use.
    async fn let_ids_go(&self, repository: &RepositoryName, before: Option<&Webhook>, after: Option<&Webhook>) {
        if let Err(error) = self.forget_ids(before, after).await {
            tracing::warn!(%repository, %error, "ids of a webhook that lead nowhere are left");
        }
    }

    /// Removes the ids that a webhook had and has no more. One that stays leads to a webhook that does not know it.
    async fn forget_ids(&self, before: Option<&Webhook>, after: Option<&Webhook>) -> Result<(), StateError> {
        let hashes = |of: &Webhook| -> Vec<Digest> {
            std::iter::once(&of.address).chain(&of.previous).map(|Address { hash, .. }| hash.clone()).collect()
        };
        let (before, after) = (before.map(hashes).unwrap_or_default(), after.map(hashes).unwrap_or_default());
        let gone = before.iter().filter(|hash| !after.contains(hash));
        self.delete_many(gone.map(|hash| Key::WebhookId(hash).attributes()).collect()).await
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        Client,
        config::retry::RetryConfig,
        operation::{put_item::PutItemOutput, transact_write_items::TransactWriteItemsOutput},
    };
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use moorage_domain::Timestamp;

    use super::*;

    #[tokio::test]
    async fn what_has_happened_is_no_failure_because_old_ids_are_left() {
        let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","message":"no"}"#;
        let written = mock!(Client::transact_write_items).then_output(|| TransactWriteItemsOutput::builder().build());
        let put = mock!(Client::put_item).then_output(|| PutItemOutput::builder().build());
        let left = mock!(Client::batch_write_item).sequence().http_status(400, Some(body.into())).times(9).build();
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&written, &put, &left], |config| {
            config.retry_config(RetryConfig::disabled())
        });
        let (table, repository, at) =
            (Table::new(client, "table"), "acme/app".parse().unwrap(), Timestamp::from_unix(0));
        let address = |id: &str| Address {
            hash: Digest::sha256(id.as_bytes()),
            secret: "c2VhbGVk".to_owned().into(),
            require_signature: false,
        };
        let two = Webhook::new(address("a"), at).rotated(address("b"), at);
        let three = two.clone().rotated(address("c"), at);
        table.put_webhook(&repository, Some(&two), &three).await.unwrap();
        table.change_webhook(&repository, &three, &three.clone().without_previous()).await.unwrap();
        table.delete_webhook(&repository, &three).await.unwrap();
        assert_eq!(left.num_calls(), 3, "it was tried");
        assert!(table.forget_webhook(&three).await.is_err(), "whoever ends a mirror goes on with it");
    }
}
