//! Repositories.

use moorage_domain::{Generation, Namespace, RepositoryName, RobotName, Timestamp, mirror::RepositoryState};
use serde::{Deserialize, Serialize};

use crate::{
    Mirror, StateError, Table,
    error::or_gone,
    key::{Key, namespace_pk, prefix, repository_pk},
    table::{Item, Query, conditional},
    transaction::{Change, Committed, Transaction},
};

/// A repository of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its full name.
    pub repository: RepositoryName,
    /// Which of those that bore the name.
    #[serde(default)]
    pub id: Generation,
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
}

/// Some repositories, by name, and where the next page begins.
#[derive(Debug)]
pub struct RepositoryPage {
    /// The repositories.
    pub repositories: Vec<Repository>,
    /// Those among them that were deleted, and of which something may be left.
    pub deleted: Vec<RepositoryName>,
    /// What to pass to [`Table::repositories`] for the next page.
    pub next: Option<String>,
}

impl Table {
    /// Creates a repository; [`StateError::Conflict`] if the name is taken.
    pub async fn create_repository(&self, repository: &Repository) -> Result<(), StateError> {
        self.create(Key::Repository(&repository.repository), repository).await
    }

    /// Reads a repository.
    pub async fn repository(&self, name: &RepositoryName) -> Result<Option<Repository>, StateError> {
        let repository: Option<Repository> = self.get(Key::Repository(name)).await?;
        Ok(repository.filter(|repository| !repository.is_deleted))
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
        let page = self.page::<Repository>(query).await?;
        let (deleted, repositories): (Vec<_>, _) = page.items.into_iter().partition(|repository| repository.is_deleted);
        let deleted = deleted.into_iter().map(|repository| repository.repository).collect();
        let next = page.next.and_then(|sk| sk.strip_prefix(prefix::REPOSITORY).map(str::to_owned));
        Ok(RepositoryPage { repositories, deleted, next })
    }

    /// Changes what a repository is for; [`StateError::NotFound`] if there is none.
    pub async fn set_repository_state(&self, name: &RepositoryName, state: RepositoryState) -> Result<(), StateError> {
        self.set_repository(name, "state", serde_dynamo::to_attribute_value(state)?).await
    }

    /// Makes a repository public or private; [`StateError::NotFound`] if there is none.
    pub async fn set_repository_public(&self, name: &RepositoryName, is_public: bool) -> Result<(), StateError> {
        self.set_repository(name, "is_public", serde_dynamo::to_attribute_value(is_public)?).await
    }

    /// Changes a repository's description; [`StateError::NotFound`] if there is none.
    pub async fn set_repository_description(&self, name: &RepositoryName, text: &str) -> Result<(), StateError> {
        self.set_repository(name, "description", serde_dynamo::to_attribute_value(text)?).await
    }

    async fn set_repository(
        &self,
        name: &RepositoryName,
        attribute: &str,
        value: aws_sdk_dynamodb::types::AttributeValue,
    ) -> Result<(), StateError> {
        let request = self.update(Key::Repository(name));
        let request = request.update_expression("SET #attribute = :value");
        let request = request.condition_expression("attribute_exists(#state) AND NOT #deleted = :true");
        let request = request.expression_attribute_names("#attribute", attribute);
        let request = request.expression_attribute_names("#state", "state");
        let request = request.expression_attribute_names("#deleted", "is_deleted");
        let request = request.expression_attribute_values(":value", value);
        let request = request.expression_attribute_values(":true", serde_dynamo::to_attribute_value(true)?);
        match conditional(request).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }

    /// Marks a repository as deleted, and deletes its mirror with it, which ends a running sync. The rest is left to
    /// [`Table::purge_repository`]. `mirror` is the mirror as it was read; [`StateError::Conflict`] if there is another
    /// one or none by now, [`StateError::NotFound`] if there is no repository.
    pub async fn mark_repository_deleted(
        &self,
        name: &RepositoryName,
        mirror: Option<&Mirror>,
    ) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        let change = Change { update: "SET #is_deleted = :true", condition: "attribute_exists(#state)" };
        let values = Item::from([(":true".to_owned(), serde_dynamo::to_attribute_value(true)?)]);
        transaction.update(Key::Repository(name), change, values)?;
        match mirror {
            Some(mirror) => self.unlink_mirror(&mut transaction, mirror)?,
            None => transaction.delete(Key::Mirror(name), Some(("attribute_not_exists(#pk)", Item::new())))?,
        }
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(StateError::NotFound),
            Committed::Refused(_) => Err(StateError::Conflict),
        }
    }

    /// Whether a repository was deleted, and something of it is left.
    pub async fn is_repository_deleted(&self, name: &RepositoryName) -> Result<bool, StateError> {
        let repository: Option<Repository> = self.get(Key::Repository(name)).await?;
        Ok(repository.is_some_and(|repository| repository.is_deleted))
    }

    /// Deletes every item of a deleted repository, and last the one that keeps its name taken.
    pub async fn purge_repository(&self, name: &RepositoryName) -> Result<(), StateError> {
        let roles: Vec<(RobotName, _)> = self.roles(name).await?;
        for (robot, _) in roles {
            or_gone(self.revoke(name, &robot).await)?;
        }
        for (team, _) in self.team_roles(name).await? {
            or_gone(self.revoke_team(name, &team).await)?;
        }
        self.delete_all(&repository_pk(name), "").await?;
        let mut transaction = Transaction::new(self);
        let deleted = Item::from([(":true".to_owned(), serde_dynamo::to_attribute_value(true)?)]);
        transaction.delete(Key::Repository(name), Some(("#is_deleted = :true", deleted)))?;
        transaction.commit().await?;
        Ok(())
    }
}
