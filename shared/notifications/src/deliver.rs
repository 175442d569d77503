//! From a message to whoever is to have it.

use aws_sdk_sns::config::{Builder, Region};
use moorage_domain::{
    FailureReason,
    failure::Failure,
    notification::{Destination, Message, MessageId, Notification, Owner, Payload, SigningSecret, payload},
};
use moorage_runtime::{Metric, Unit, emit};
use moorage_state::{Note, Purpose, now};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::{error::NotifyError, notifier::Notifier, queue::service};

impl Notifier {
    /// Tries to deliver a message. What nobody takes is tried again later, and given up after a day; three of these in a row
    /// are the end of their notification, until somebody resets it.
    pub async fn deliver(&self, message: Message) -> Result<(), NotifyError> {
        if message.due > now() {
            return self.queue.put(&message).await;
        }
        let Some(notification) = self.table.notification(&message.owner, message.uuid).await? else { return Ok(()) };
        if notification.is_off() && !message.is_test {
            return Ok(());
        }
        let (uuid, owner) = (message.uuid, message.owner.clone());
        match self.send(&notification, &message).await {
            Ok(()) => {
                tracing::info!(%owner, %uuid, event = %message.event, tries = message.tries, "a message was delivered");
                if notification.number_of_failures > 0 {
                    self.table.reset_notification(&owner, uuid).await?;
                }
                Ok(())
            }
            Err(failure) => {
                let (reason, error) = (failure.reason.as_str(), failure.logged());
                tracing::warn!(%owner, %uuid, event = %message.event, tries = message.tries, reason, error, "a message was not delivered");
                self.failed(message, &failure).await
            }
        }
    }

    async fn failed(&self, message: Message, failure: &Failure) -> Result<(), NotifyError> {
        if let Some(next) = message.clone().again(now()) {
            return self.queue.put(&next).await;
        }
        let (owner, uuid) = (&message.owner, message.uuid);
        self.queue.bury(&message, &failure.message).await?;
        let Some(notification) = self.table.count_failure(owner, uuid, now()).await? else { return Ok(()) };
        if notification.is_off() {
            tracing::error!(%owner, %uuid, failures = notification.number_of_failures, "a notification is off: nobody takes its messages");
            let off = Metric { name: "notifications_off", unit: Unit::Count, value: 1.0 };
            if !self.settings.watched_as.is_empty() {
                emit(&[("stack", &self.settings.watched_as)], 1, &[off]);
            }
        }
        Ok(())
    }

    async fn send(&self, notification: &Notification, message: &Message) -> Result<(), Failure> {
        let destination = notification.target.destination();
        let payload = payload(destination, message.event, message.body.clone())
            .map_err(|error| Failure::of(FailureReason::UnknownError, &error))?;
        match (destination, payload) {
            (Destination::Webhook { url, .. } | Destination::Slack { url }, Payload::Post(body)) => {
                self.post(notification, message, url, &body).await
            }
            (Destination::Sns(topic), Payload::Sns { subject, message: body }) => {
                let mut publish = self.topics.publish().topic_arn(topic.as_str()).subject(subject);
                publish = publish.message(body.to_string());
                if topic.is_fifo() {
                    // One line for each notification, and each message once.
                    publish = publish.message_group_id(notification.uuid.to_string());
                    publish = publish.message_deduplication_id(&message.id);
                }
                let elsewhere = Builder::new().region(Region::new(topic.region().to_owned()));
                let published = publish.customize().config_override(elsewhere).send().await;
                published.map(drop).map_err(|error| failed(&service("SNS", error).into()))
            }
            (Destination::EventBridge(bus), Payload::EventBridge { detail_type, detail, .. }) => {
                self.put_event(Some(bus.as_str()), detail_type, &detail).await.map_err(|error| failed(&error))
            }
            (Destination::People { kind, name }, Payload::Note(body)) => {
                let target = json!({"kind": kind.as_str(), "name": name});
                let note = Note::new(note_id(message), message.event.to_string(), (target, body), message.made);
                let kept = self.table.put_note(&message.owner.namespace(), &note).await;
                kept.map_err(|error| failed(&error.into()))
            }
            // The one is made of the other.
            _ => Ok(()),
        }
    }

    async fn post(
        &self,
        notification: &Notification,
        message: &Message,
        url: &Url,
        body: &Value,
    ) -> Result<(), Failure> {
        let body = body.to_string().into_bytes();
        let secret = self.secret(&message.owner, notification).await?;
        let id = MessageId::known(&message.id);
        let headers = SigningSecret::headers(secret.as_slice(), &id, now().unix(), &body);
        let headers = headers.map_err(|error| Failure::of(FailureReason::DecryptionFailed, &error))?;
        let posted = self.receivers.post(url, &headers, body).await;
        posted.map_err(|error| Failure::of(error.reason(), &error))
    }

    /// What a notification's messages are signed with, if anything.
    async fn secret(&self, owner: &Owner, notification: &Notification) -> Result<Option<SigningSecret>, Failure> {
        let Some(secret) = &notification.secret else { return Ok(None) };
        let purpose = Purpose::Notification(owner, notification.uuid);
        let text = self.secrets.decrypt(purpose, secret).await.map_err(Failure::from)?;
        let secret = SigningSecret::parse(moorage_domain::ExposeSecret::expose_secret(&text));
        secret.map(Some).map_err(|error| Failure::of(FailureReason::DecryptionFailed, &error))
    }
}

/// The same however often the message comes.
fn note_id(message: &Message) -> Uuid {
    let digest = moorage_domain::Digest::sha256(format!("{}/{}", message.uuid, message.id).as_bytes());
    let bytes = digest.bytes().first_chunk().copied().unwrap_or_default();
    Uuid::from_bytes(bytes)
}

fn failed(error: &NotifyError) -> Failure {
    let failure = Failure::of(FailureReason::UnknownError, error);
    match error {
        NotifyError::Service(service) => failure.caused_by(Some(service)),
        NotifyError::State(error) => failure.caused_by(error.service()),
        NotifyError::Secret(_) | NotifyError::Unwritable(_) => failure,
    }
}
