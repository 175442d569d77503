//! Organizations: the namespaces of repositories and robots.

use moorage_domain::{Namespace, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{StateError, Table, key::Key};

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its name, which is also the namespace.
    pub name: Namespace,
    /// Whom to write to.
    pub email: Option<String>,
    /// When it was created.
    pub created: Timestamp,
}

impl Table {
    /// Creates an organization; [`StateError::Conflict`] if the name is taken.
    pub async fn create_organization(&self, organization: &Organization) -> Result<(), StateError> {
        self.create(Key::Organization(&organization.name), organization).await
    }

    /// Reads an organization.
    pub async fn organization(&self, name: &Namespace) -> Result<Option<Organization>, StateError> {
        self.get(Key::Organization(name)).await
    }

    /// Replaces an organization.
    pub async fn put_organization(&self, organization: &Organization) -> Result<(), StateError> {
        self.put(Key::Organization(&organization.name), organization).await
    }
}
