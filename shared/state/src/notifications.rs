//! Who is told of what happens to a repository's mirror, or to the mirrors of an organization; and what people were told.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    Namespace, RepositoryName, Timestamp,
    notification::{Notification, Owner},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    StateError, Table,
    expression::Change,
    key::{Key, namespace_pk, prefix, repository_pk},
    table::{Item, Query, conditional},
    transaction::{Committed, Transaction},
};

/// The most notifications of one repository or organization: each is looked at when anything happens.
pub const MAX_NOTIFICATIONS: usize = 50;
/// How long it is known what was told of a repository: longer than any pause between two messages of one kind.
const TOLD_RETENTION: std::time::Duration = std::time::Duration::from_secs(90 * 86_400);
/// How long people's notes are kept.
const NOTE_RETENTION: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

/// What an organization's notification was last told of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldOf {
    /// Which notification.
    pub uuid: Uuid,
    /// When.
    pub last_sent: Timestamp,
    /// By which message.
    pub last_message: String,
    /// Until when it is kept.
    expires_at: Timestamp,
}

/// What people of a namespace were told, as Quay's bell has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Its name.
    pub id: Uuid,
    /// What is told: an event's name.
    pub kind: String,
    /// For whom of the namespace it is: a kind and a name, as in Quay.
    pub target: Value,
    /// The event's body.
    pub metadata: Value,
    /// When.
    pub created: Timestamp,
    /// Until when it is kept.
    expires_at: Timestamp,
}

impl Note {
    /// One that is new.
    pub fn new(id: Uuid, kind: String, (target, metadata): (Value, Value), created: Timestamp) -> Self {
        Self { id, kind, target, metadata, created, expires_at: created.plus(NOTE_RETENTION) }
    }
}

/// A notification's key.
fn key(owner: &Owner, uuid: Uuid) -> Key<'_> {
    match owner {
        Owner::Repository(repository) => Key::Notification(repository, uuid),
        Owner::Organization(namespace) => Key::NamespaceNotification(namespace, uuid),
    }
}

fn number(count: u32) -> AttributeValue {
    AttributeValue::N(count.to_string())
}

fn moment(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.unix().to_string())
}

impl Table {
    /// All notifications of a repository or an organization.
    pub async fn notifications(&self, owner: &Owner) -> Result<Vec<Notification>, StateError> {
        let pk = match owner {
            Owner::Repository(repository) => repository_pk(repository),
            Owner::Organization(namespace) => namespace_pk(namespace),
        };
        self.all(pk, prefix::NOTIFICATION).await
    }

    /// One of them.
    pub async fn notification(&self, owner: &Owner, uuid: Uuid) -> Result<Option<Notification>, StateError> {
        self.get(key(owner, uuid)).await
    }

    /// Adds one, and notes with its owner that somebody is told; [`StateError::NotFound`] if there is no such owner.
    pub async fn create_notification(&self, owner: &Owner, notification: &Notification) -> Result<(), StateError> {
        let (of, condition) = match owner {
            Owner::Repository(repository) => {
                (Key::Repository(repository), "attribute_exists(#pk) AND NOT #is_deleted = :true")
            }
            Owner::Organization(namespace) => {
                (Key::Organization(namespace), "attribute_exists(#pk) AND NOT #is_ending = :true")
            }
        };
        let mut transaction = Transaction::new(self);
        let values = Item::from([(":true".to_owned(), AttributeValue::Bool(true))]);
        transaction.update(of, Change { update: "SET #is_notified = :true", condition }, values)?;
        transaction.create(key(owner, notification.uuid), notification)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(StateError::NotFound),
            Committed::Refused(_) => Err(StateError::Conflict),
        }
    }

    /// Deletes one; [`StateError::NotFound`] if there is none.
    pub async fn delete_notification(&self, owner: &Owner, uuid: Uuid) -> Result<(), StateError> {
        self.delete(key(owner, uuid)).await
    }

    /// What organizations' notifications were last told of a repository.
    pub async fn told_of(&self, repository: &RepositoryName) -> Result<Vec<ToldOf>, StateError> {
        self.all(repository_pk(repository), prefix::TOLD).await
    }

    /// Notes what one of them was told.
    pub async fn put_told_of(
        &self,
        repository: &RepositoryName,
        uuid: Uuid,
        (message, at): (&str, Timestamp),
    ) -> Result<(), StateError> {
        let expires_at = at.plus(TOLD_RETENTION);
        let told = ToldOf { uuid, last_sent: at, last_message: message.to_owned(), expires_at };
        self.put(Key::ToldOf(repository, uuid), &told).await
    }

    /// Notes that this message was made for one. One that is gone needs none.
    pub async fn notification_told(
        &self,
        owner: &Owner,
        uuid: Uuid,
        (message, at): (&str, Timestamp),
    ) -> Result<(), StateError> {
        let message = AttributeValue::S(message.to_owned());
        let told = Item::from([("last_sent".to_owned(), moment(at)), ("last_message".to_owned(), message)]);
        match self.change_notification(owner, uuid, told).await {
            Err(StateError::NotFound) => Ok(()),
            result => result,
        }
    }

    /// Sets the counter of one to zero; [`StateError::NotFound`] if there is none.
    pub async fn reset_notification(&self, owner: &Owner, uuid: Uuid) -> Result<(), StateError> {
        self.change_notification(owner, uuid, Item::from([("number_of_failures".to_owned(), number(0))])).await
    }

    /// Counts that an event could not be delivered. Returns the notification as it is now; nothing if it is gone.
    pub async fn count_failure(
        &self,
        owner: &Owner,
        uuid: Uuid,
        at: Timestamp,
    ) -> Result<Option<Notification>, StateError> {
        let update = "SET #last_failed = :at ADD #number_of_failures :one";
        let change = Change { update, condition: "attribute_exists(#pk)" };
        let values = Item::from([(":at".to_owned(), moment(at)), (":one".to_owned(), number(1))]);
        match conditional(self.change(key(owner, uuid), change, values)).await {
            Ok(()) => self.notification(owner, uuid).await,
            Err(StateError::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn change_notification(&self, owner: &Owner, uuid: Uuid, attributes: Item) -> Result<(), StateError> {
        match conditional(self.set(key(owner, uuid), attributes)).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }

    /// Keeps what people of a namespace are told.
    pub async fn put_note(&self, namespace: &Namespace, note: &Note) -> Result<(), StateError> {
        self.put(Key::Note(namespace, note.created, note.id), note).await
    }

    /// What people of a namespace were told, the newest first.
    pub async fn notes(&self, namespace: &Namespace, limit: i32, now: Timestamp) -> Result<Vec<Note>, StateError> {
        let pk = namespace_pk(namespace);
        let query = Query { pk, prefix: prefix::NOTE, newest_first: true, limit: Some(limit), after: None };
        let page = self.page::<Note>(query).await?;
        Ok(page.items.into_iter().filter(|note| note.expires_at > now).collect())
    }
}
