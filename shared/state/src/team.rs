//! Teams of organizations. Robots of the organization are their members.

use moorage_domain::{Namespace, TeamName};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, namespace_pk, prefix},
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
    /// Creates a team, or replaces it. A new one begins without members and roles, even if a deletion of another one of
    /// its name was interrupted.
    pub async fn put_team(&self, organization: &Namespace, team: &Team) -> Result<(), StateError> {
        if self.team(organization, &team.name).await?.is_none() {
            self.forget_team(organization, &team.name).await?;
        }
        self.put(Key::Team(organization, &team.name), team).await
    }

    /// Reads a team.
    pub async fn team(&self, organization: &Namespace, name: &TeamName) -> Result<Option<Team>, StateError> {
        self.get(Key::Team(organization, name)).await
    }

    /// The teams of an organization, by name.
    pub async fn teams(&self, organization: &Namespace) -> Result<Vec<Team>, StateError> {
        self.all(namespace_pk(organization), prefix::TEAM).await
    }

    /// Deletes a team with its memberships and roles; [`StateError::NotFound`] if there is none. The team goes first:
    /// without it nobody can be added, and what is left is void.
    pub async fn delete_team(&self, organization: &Namespace, name: &TeamName) -> Result<(), StateError> {
        self.delete(Key::Team(organization, name)).await?;
        self.forget_team(organization, name).await
    }

    async fn forget_team(&self, organization: &Namespace, name: &TeamName) -> Result<(), StateError> {
        self.remove_members(organization, name).await?;
        self.revoke_roles_of(organization, name).await
    }
}
