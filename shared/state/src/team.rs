//! Teams of organizations, and their roles on repositories. They have no members: nobody but robots and tokens acts
//! here.

use moorage_domain::{Namespace, RepositoryName, TeamName};
use serde::{Deserialize, Serialize};

use crate::{
    Role, StateError, Table,
    key::{Key, namespace_pk, prefix, repository_pk},
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
    /// Everything.
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

#[derive(Serialize, Deserialize)]
struct TeamPermission {
    team: TeamName,
    role: Role,
}

impl Table {
    /// Creates or replaces a team.
    pub async fn put_team(&self, organization: &Namespace, team: &Team) -> Result<(), StateError> {
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

    /// Deletes a team; [`StateError::NotFound`] if there is none. Roles that it has on repositories are void without it.
    pub async fn delete_team(&self, organization: &Namespace, name: &TeamName) -> Result<(), StateError> {
        self.delete(Key::Team(organization, name)).await
    }

    /// Gives a team a role on a repository.
    pub async fn grant_team(&self, repository: &RepositoryName, team: &TeamName, role: Role) -> Result<(), StateError> {
        self.put(Key::TeamPermission(repository, team), &TeamPermission { team: team.clone(), role }).await
    }

    /// Takes a team's role on a repository away; [`StateError::NotFound`] if it has none.
    pub async fn revoke_team(&self, repository: &RepositoryName, team: &TeamName) -> Result<(), StateError> {
        self.delete(Key::TeamPermission(repository, team)).await
    }

    /// The teams that have a role on a repository, by name.
    pub async fn team_roles(&self, repository: &RepositoryName) -> Result<Vec<(TeamName, Role)>, StateError> {
        let items: Vec<TeamPermission> = self.all(repository_pk(repository), prefix::TEAM_PERMISSION).await?;
        Ok(items.into_iter().map(|item| (item.team, item.role)).collect())
    }

    /// A team's role on a repository.
    pub async fn team_role(&self, repository: &RepositoryName, team: &TeamName) -> Result<Option<Role>, StateError> {
        let item: Option<TeamPermission> = self.get(Key::TeamPermission(repository, team)).await?;
        Ok(item.map(|item| item.role))
    }
}
