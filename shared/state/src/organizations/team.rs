//! Teams of organizations. Robots of the organization are their members.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Generation, Namespace, TeamName};
use serde::{Deserialize, Serialize};

use crate::{
    Race, StateError, Table,
    expression::Change,
    key::{Key, namespace_pk, prefix},
    organizations::generation::within,
    table::Item,
    transaction::{Committed, Transaction},
};

/// The team that every organization begins with, as in Quay.
pub const OWNERS: &str = "owners";

/// What a team may do in its organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeamRole {
    /// Only what it has roles for.
    Member,
    /// Create repositories.
    Creator,
    /// Everything: the role `admin` on each of the organization's repositories.
    Admin,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its name.
    pub name: TeamName,
    /// Its role in the organization.
    pub role: TeamRole,
    /// Free text.
    pub description: String,
}

impl Table {
    /// Creates a team in the organization `id`, or gives the one that is there this role and, if there is one, this
    /// description, whatever others change meanwhile. Returns what there was. A new one begins without members and roles,
    /// even if a deletion of another one of its name was interrupted. [`StateError::NotFound`] if the organization is not
    /// there any more or ends.
    pub async fn put_team(
        &self,
        organization: &Namespace,
        id: Generation,
        name: &TeamName,
        role: TeamRole,
        description: Option<&str>,
    ) -> Result<Option<Team>, StateError> {
        let (key, mut race) = (Key::Team(organization, name), Race::begin());
        loop {
            let before = self.team(organization, name).await?;
            let mut transaction = Transaction::new(self);
            if before.is_some() {
                let mut values = Item::from([(":role".to_owned(), serde_dynamo::to_attribute_value(role)?)]);
                let described = description.map(|text| (":description".to_owned(), AttributeValue::S(text.to_owned())));
                let update = match described {
                    Some(_) => "SET #role = :role, #description = :description",
                    None => "SET #role = :role",
                };
                values.extend(described);
                transaction.update(key, Change { update, condition: "attribute_exists(#pk)" }, values)?;
            } else {
                // Without the team nobody gets into it meanwhile.
                self.forget_team(organization, name).await?;
                let description = description.unwrap_or_default().to_owned();
                transaction.create(key, &Team { name: name.clone(), role, description })?;
            }
            within(&mut transaction, organization, id)?;
            match transaction.commit().await? {
                Committed::Yes => return Ok(before),
                // Somebody else made or deleted it.
                Committed::Refused(0) => race.lost().await?,
                Committed::Refused(_) => return Err(StateError::NotFound),
            }
        }
    }

    /// Reads a team.
    pub async fn team(&self, organization: &Namespace, name: &TeamName) -> Result<Option<Team>, StateError> {
        self.get(Key::Team(organization, name)).await
    }

    /// The teams of an organization, by name.
    pub async fn teams(&self, organization: &Namespace) -> Result<Vec<Team>, StateError> {
        self.all(namespace_pk(organization), prefix::TEAM).await
    }

    /// Deletes a team with its memberships and roles; [`StateError::NotFound`] if there is none: of several callers one has
    /// deleted it. The team goes first: without it nobody can be added, and what is left is void. What a deletion that was
    /// interrupted has left goes all the same.
    pub async fn delete_team(&self, organization: &Namespace, name: &TeamName) -> Result<(), StateError> {
        let deleted = self.delete(Key::Team(organization, name)).await;
        self.forget_team(organization, name).await?;
        deleted
    }

    async fn forget_team(&self, organization: &Namespace, name: &TeamName) -> Result<(), StateError> {
        self.remove_members(organization, name).await?;
        self.revoke_roles_of(organization, name).await
    }
}
