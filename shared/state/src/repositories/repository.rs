//! Repositories.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    Generation, Namespace, RepositoryName, Timestamp, lock::Lock, mirror::RepositoryState, run::RunId,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    clock::now,
    expression::Change,
    key::{Key, namespace_pk, prefix},
    organizations::generation::{Present, id_is, within},
    repositories::{
        lock_condition::{UNLOCKED, at_present, expect_free},
        public_entry,
    },
    table::{Item, Query, conditional},
    transaction::{Committed, Transaction},
};

/// A repository of ours.
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute that is stored, and none follows from another")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its full name.
    pub repository: RepositoryName,
    /// Which of those that bore the name.
    #[serde(default)]
    pub id: Generation,
    /// Which of the organizations that bore the namespace's name it belongs to.
    #[serde(default)]
    pub organization_id: Generation,
    /// What it is for.
    pub state: RepositoryState,
    /// Whether everybody may pull.
    pub is_public: bool,
    /// Free text.
    pub description: String,
    /// When it was created.
    pub created: Timestamp,
    /// Whether it was deleted. Its name is taken until nothing of it is left.
    #[serde(default)]
    pub is_deleted: bool,
    /// The run of a mirror that is gone which may still write, by its transaction id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_by: Option<Uuid>,
    /// Until when it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_until: Option<Timestamp>,
    /// Whether somebody is told of what happens to its mirror, or was; as it is read, those of its organization, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_notified: bool,
    /// Whether its mirror has a webhook, or had one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_webhook: bool,
    /// The runs that are pinned, of the mirror that it has: what is not among them is no pin.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "serde_dynamo::string_set")]
    pub pins: BTreeSet<RunId>,
    /// Who has it to themselves, if somebody has.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
}

impl Repository {
    /// The repository as it was read, if it is there and belongs to the namespace that bears the name at present.
    pub(crate) fn within(self, present: Option<Present>) -> Option<Self> {
        let present = present.filter(|present| !self.is_deleted && present.id == self.organization_id)?;
        Some(Self { is_notified: self.is_notified || present.is_notified, ..self })
    }
}

/// What a new repository is made of.
#[derive(Debug)]
pub struct NewRepository {
    /// Its full name.
    pub repository: RepositoryName,
    /// Which of the organizations that bore the namespace's name it is made in.
    pub organization_id: Generation,
    /// What it is for.
    pub state: RepositoryState,
    /// Whether everybody may pull.
    pub is_public: bool,
    /// Free text.
    pub description: String,
    /// When it is created.
    pub created: Timestamp,
}

impl From<NewRepository> for Repository {
    /// The first and only of its generation.
    fn from(new: NewRepository) -> Self {
        Self {
            repository: new.repository,
            id: Generation::new(Uuid::new_v4()),
            organization_id: new.organization_id,
            state: new.state,
            is_public: new.is_public,
            description: new.description,
            created: new.created,
            is_deleted: false,
            left_by: None,
            left_until: None,
            is_notified: false,
            has_webhook: false,
            pins: BTreeSet::new(),
            lock: None,
        }
    }
}

/// Some repositories, by name, and where the next page begins.
#[derive(Debug)]
pub struct RepositoryPage {
    /// The repositories.
    pub repositories: Vec<Repository>,
    /// Those among them that were deleted, or left behind by an organization that is gone, and of which something may be
    /// left.
    pub deleted: Vec<RepositoryName>,
    /// What to pass to [`Table::repositories`] for the next page.
    pub next: Option<String>,
}

impl Table {
    /// Creates a repository. [`StateError::Conflict`] if the name is taken, [`StateError::NotFound`] if its organization is
    /// not there any more or ends, [`StateError::Locked`] if somebody looks at what the bucket has under the name.
    pub async fn create_repository(&self, repository: &Repository) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        insert(&mut transaction, repository)?;
        within(&mut transaction, &repository.repository.namespace(), repository.organization_id)?;
        public_entry::list(&mut transaction, &repository.repository, repository.is_public)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(StateError::Conflict),
            Committed::Refused(1) => Err(StateError::Locked),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// Reads a repository.
    pub async fn repository(&self, name: &RepositoryName) -> Result<Option<Repository>, StateError> {
        let (found, present) = self.get_within::<Repository>(Key::Repository(name), &name.namespace()).await?;
        Ok(found.and_then(|found| found.within(present)))
    }

    /// Repositories of a namespace, by name, from behind `after`.
    pub async fn repositories(
        &self,
        namespace: &Namespace,
        limit: i32,
        after: Option<&str>,
    ) -> Result<RepositoryPage, StateError> {
        let query = Query {
            pk: namespace_pk(namespace),
            prefix: prefix::REPOSITORY,
            newest_first: false,
            limit: Some(limit),
            after: after.map(|after| format!("{}{after}", prefix::REPOSITORY)),
        };
        let (page, present) = tokio::try_join!(self.page::<Repository>(query), self.present_of(namespace))?;
        let is_notified = present.as_ref().is_some_and(|present| present.is_notified);
        let present = present.map(|present| present.id);
        let is_gone = |repository: &Repository| repository.is_deleted || Some(repository.organization_id) != present;
        let (deleted, mut repositories): (Vec<_>, Vec<_>) = page.items.into_iter().partition(is_gone);
        for repository in &mut repositories {
            repository.is_notified |= is_notified;
        }
        let deleted = deleted.into_iter().map(|repository| repository.repository).collect();
        let next = page.next.and_then(|sk| sk.strip_prefix(prefix::REPOSITORY).map(str::to_owned));
        Ok(RepositoryPage { repositories, deleted, next })
    }

    /// Changes what a repository is for; [`StateError::NotFound`] if there is none, [`StateError::Locked`] while somebody has
    /// it to themselves.
    pub async fn set_repository_state(&self, name: &RepositoryName, state: RepositoryState) -> Result<(), StateError> {
        let mut values = at_present();
        values.insert(":state".to_owned(), serde_dynamo::to_attribute_value(state)?);
        values.insert(":true".to_owned(), AttributeValue::Bool(true));
        let condition = format!("attribute_exists(#pk) AND NOT #is_deleted = :true AND {UNLOCKED}");
        let mut transaction = Transaction::new(self);
        let change = Change { update: "SET #state = :state", condition: &condition };
        transaction.update(Key::Repository(name), change, values)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(self.locked_or(name, StateError::NotFound).await?),
        }
    }

    /// Why a change of a repository was refused: it is locked, or it is `otherwise`.
    pub(crate) async fn locked_or(
        &self,
        name: &RepositoryName,
        otherwise: StateError,
    ) -> Result<StateError, StateError> {
        let found: Option<Repository> = self.get(Key::Repository(name)).await?;
        let lock = found.filter(|found| !found.is_deleted).and_then(|found| found.lock);
        Ok(if lock.is_some_and(|lock| lock.is_live(now())) { StateError::Locked } else { otherwise })
    }

    /// Makes a repository public or private; [`StateError::NotFound`] if there is none.
    pub async fn set_repository_public(&self, name: &RepositoryName, is_public: bool) -> Result<(), StateError> {
        let flags = [(":public", is_public), (":true", true)];
        let values = flags.map(|(name, value)| (name.to_owned(), AttributeValue::Bool(value)));
        let condition = "attribute_exists(#pk) AND NOT #is_deleted = :true";
        let change = Change { update: "SET #is_public = :public", condition };
        let mut transaction = Transaction::new(self);
        transaction.update(Key::Repository(name), change, Item::from(values))?;
        public_entry::list(&mut transaction, name, is_public)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// Changes a repository's description; [`StateError::NotFound`] if there is none.
    pub async fn set_repository_description(&self, name: &RepositoryName, text: &str) -> Result<(), StateError> {
        self.set_repository(name, "description", AttributeValue::S(text.to_owned())).await
    }

    async fn set_repository(
        &self,
        name: &RepositoryName,
        attribute: &str,
        value: AttributeValue,
    ) -> Result<(), StateError> {
        let request = self.update(Key::Repository(name));
        let request = request.update_expression("SET #attribute = :value");
        let request = request.condition_expression("attribute_exists(#state) AND NOT #deleted = :true");
        let request = request.expression_attribute_names("#attribute", attribute);
        let request = request.expression_attribute_names("#state", "state");
        let request = request.expression_attribute_names("#deleted", "is_deleted");
        let request = request.expression_attribute_values(":value", value);
        let request = request.expression_attribute_values(":true", AttributeValue::Bool(true));
        match conditional(request).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }
}

/// The creation of a repository, as a part of a transaction: two writes.
pub(crate) fn insert(transaction: &mut Transaction<'_>, repository: &Repository) -> Result<(), StateError> {
    transaction.create(Key::Repository(&repository.repository), repository)?;
    expect_free(transaction, &repository.repository)
}

/// Expects a repository to be there, as a part of a transaction.
pub(crate) fn expect(transaction: &mut Transaction<'_>, name: &RepositoryName) -> Result<(), StateError> {
    let values = Item::from([(":true".to_owned(), AttributeValue::Bool(true))]);
    transaction.check(Key::Repository(name), "attribute_exists(#pk) AND NOT #is_deleted = :true", values)
}

/// Expects a repository to be this one still, as a part of a transaction.
pub(crate) fn expect_this(transaction: &mut Transaction<'_>, on: &Repository) -> Result<(), StateError> {
    let (id, value) = id_is(on.id)?;
    let values = Item::from([(":true".to_owned(), AttributeValue::Bool(true)), (":id".to_owned(), value)]);
    let condition = format!("attribute_exists(#pk) AND {id} AND NOT #is_deleted = :true");
    transaction.check(Key::Repository(&on.repository), &condition, values)
}
