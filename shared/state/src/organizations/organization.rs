//! Organizations: the namespaces of repositories and robots.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Generation, Namespace, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, ORGANIZATIONS, namespace_pk, prefix},
    organizations::{
        generation::{ADMIN, id_is, is_this},
        team::{OWNERS, Team, TeamRole},
    },
    table::{Item, Query, conditional},
    transaction::{Committed, Transaction},
};

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its name, which is also the namespace.
    pub name: Namespace,
    /// Which of those that bore the name.
    #[serde(default)]
    pub id: Generation,
    /// Whom to write to.
    pub email: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// Whether it is being deleted: nothing can be made in it any more. Its name is taken until nothing of it is left.
    #[serde(default)]
    pub is_ending: bool,
    /// Whether somebody is told of what happens to its mirrors, or was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_notified: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Entry {
    name: Namespace,
}

impl Table {
    /// Creates an organization with its team of owners; [`StateError::Conflict`] if the name is taken.
    pub async fn create_organization(&self, organization: &Organization) -> Result<(), StateError> {
        let name = &organization.name;
        let mut transaction = Transaction::new(self);
        transaction.create(Key::Organization(name), organization)?;
        transaction.put(Key::OrganizationEntry(name), &Entry { name: name.clone() })?;
        if let Ok(owners) = OWNERS.parse() {
            let team = Team::new(owners, TeamRole::Admin, "");
            transaction.put(Key::Team(name, &team.name), &team)?;
        }
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::Conflict),
        }
    }

    /// Reads an organization; nothing if it is being deleted.
    pub async fn organization(&self, name: &Namespace) -> Result<Option<Organization>, StateError> {
        Ok(self.any_organization(name).await?.filter(|organization| !organization.is_ending))
    }

    /// As [`Self::organization`], but also one that is being deleted.
    pub async fn any_organization(&self, name: &Namespace) -> Result<Option<Organization>, StateError> {
        self.get(Key::Organization(name)).await
    }

    /// Changes an organization's address; [`StateError::NotFound`] if it is not this one any more.
    pub async fn set_organization_email(&self, organization: &Organization) -> Result<(), StateError> {
        let (expected, values) = is_this(organization.id)?;
        let email = serde_dynamo::to_attribute_value(&organization.email)?;
        let mut update = self.update(Key::Organization(&organization.name)).update_expression("SET #email = :email");
        for name in ["pk", "id", "is_ending", "email"] {
            update = update.expression_attribute_names(format!("#{name}"), name);
        }
        let update = update.condition_expression(expected).set_expression_attribute_values(Some(values));
        match conditional(update.expression_attribute_values(":email", email)).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }

    /// Marks an organization as ending: from now on nothing can be made in it. It may be marked already;
    /// [`StateError::NotFound`] if there is none of that id.
    pub async fn mark_organization_ending(&self, organization: &Organization) -> Result<(), StateError> {
        let ending = Item::from([("is_ending".to_owned(), AttributeValue::Bool(true))]);
        let update = self.set(Key::Organization(&organization.name), ending);
        let (id, value) = id_is(organization.id)?;
        let update = update.condition_expression(format!("attribute_exists(#pk) AND {id}"));
        let update = update.expression_attribute_names("#pk", "pk").expression_attribute_names("#id", "id");
        match conditional(update.expression_attribute_values(":id", value)).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }

    /// Deletes an organization that is ending with what its partition still has: robots and their roles, teams, the log. Its
    /// repositories and its mirror must be gone.
    pub async fn delete_organization(&self, name: &Namespace) -> Result<(), StateError> {
        // What of it is elsewhere goes before what it is found by.
        self.remove_user_members(name, None).await?;
        self.forget_bound_teams(&self.teams(name).await?, name).await?;
        let prefixes = [
            prefix::ROBOT,
            prefix::GRANT,
            prefix::TEAM,
            prefix::TEAM_MEMBER,
            prefix::TEAM_GRANT,
            prefix::LOG,
            prefix::DISCOVERED,
            prefix::QUEUED_SYNC,
            prefix::RATE_LIMIT,
            prefix::SLOT,
            prefix::NOTIFICATION,
            prefix::NOTE,
        ];
        for prefix in prefixes {
            self.delete_all(&namespace_pk(name), prefix).await?;
        }
        let mut transaction = Transaction::new(self);
        let ending = Item::from([(":true".to_owned(), AttributeValue::Bool(true))]);
        transaction.delete(Key::Organization(name), Some(("#is_ending = :true", ending)))?;
        transaction.delete(Key::OrganizationEntry(name), None)?;
        // Whoever was faster has done the same.
        transaction.commit().await.map(drop)
    }

    /// All namespaces: the organizations', also of those that are being deleted, and the admin's own.
    pub async fn namespaces(&self) -> Result<Vec<Namespace>, StateError> {
        let mut names = self.organizations("", None).await?;
        names.extend(ADMIN.parse());
        Ok(names)
    }

    /// The names of organizations that begin with `start`, by name, at most `limit` of them.
    pub async fn organizations(&self, start: &str, limit: Option<i32>) -> Result<Vec<Namespace>, StateError> {
        let prefix = format!("{}{start}", prefix::ORGANIZATION);
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let query = Query { pk: ORGANIZATIONS.to_owned(), prefix: &prefix, newest_first: false, limit, after };
            let page = self.page::<Entry>(query).await?;
            names.extend(page.items.into_iter().map(|entry| entry.name));
            after = page.next;
            if after.is_none() || limit.is_some() {
                return Ok(names);
            }
        }
    }
}
