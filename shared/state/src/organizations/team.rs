//! Teams of organizations. Robots of the organization and people are their members.

use moorage_domain::{Generation, GroupName, Namespace, TeamName};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    key::{Key, namespace_pk, prefix},
};

/// The team that every organization begins with, as in Quay.
pub const OWNERS: &str = "owners";

/// What a team may do in its organization. Each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// Which of those that bore the name.
    #[serde(default)]
    pub id: Generation,
    /// Its role in the organization.
    pub role: TeamRole,
    /// Free text.
    pub description: String,
    /// The group that it is bound to: whoever is in it is in the team, and nobody else but robots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
}

impl Team {
    /// A new team, which is no other of its name.
    pub fn new(name: TeamName, role: TeamRole, description: &str) -> Self {
        let id = Generation::new(Uuid::new_v4());
        Self { name, id, role, description: description.to_owned(), group: None }
    }
}

impl Table {
    /// Reads a team.
    pub async fn team(&self, organization: &Namespace, name: &TeamName) -> Result<Option<Team>, StateError> {
        self.get(Key::Team(organization, name)).await
    }

    /// The teams of an organization, by name.
    pub async fn teams(&self, organization: &Namespace) -> Result<Vec<Team>, StateError> {
        self.all(namespace_pk(organization), prefix::TEAM).await
    }
}
