//! Teams are made, changed and deleted. One that is deleted takes its members and roles with it.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Generation, Namespace, TeamName};

use crate::{
    Race, StateError, Table,
    expression::Change,
    key::Key,
    organizations::{
        generation::within,
        team::{Team, TeamRole},
    },
    table::Item,
    transaction::{Committed, Transaction},
};

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
                transaction.create(key, &Team::new(name.clone(), role, description.unwrap_or_default()))?;
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

    /// Deletes a team with its memberships and roles; [`StateError::NotFound`] if there is none: of several callers one has
    /// deleted it. The team goes first: without it nobody can be added, and what is left is void. What a deletion that was
    /// interrupted has left goes all the same.
    pub async fn delete_team(&self, organization: &Namespace, name: &TeamName) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        transaction.delete(Key::Team(organization, name), Some(("attribute_exists(#pk)", Item::new())))?;
        transaction.delete(Key::TeamGroup(organization, name), None)?;
        let deleted = transaction.commit().await?;
        self.forget_team(organization, name).await?;
        if deleted == Committed::Yes { Ok(()) } else { Err(StateError::NotFound) }
    }

    async fn forget_team(&self, organization: &Namespace, name: &TeamName) -> Result<(), StateError> {
        self.remove_members(organization, name).await?;
        self.remove_user_members(organization, Some(name)).await?;
        self.revoke_roles_of(organization, name).await
    }
}
