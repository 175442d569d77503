//! Organizations: the namespaces of repositories and robots.

use moorage_domain::{Generation, Namespace, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, ORGANIZATIONS, namespace_pk, prefix},
    table::Query,
    team::{OWNERS, Team, TeamRole},
    transaction::{Committed, Transaction},
};

/// The only user: whom the stack's first token stands for. Their name is a namespace, too.
pub const ADMIN: &str = "admin";

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
}

#[derive(Serialize, Deserialize)]
struct Entry {
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
            let team = Team { name: owners, role: TeamRole::Admin, description: String::new() };
            transaction.put(Key::Team(name, &team.name), &team)?;
        }
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::Conflict),
        }
    }

    /// Reads an organization.
    pub async fn organization(&self, name: &Namespace) -> Result<Option<Organization>, StateError> {
        self.get(Key::Organization(name)).await
    }

    /// Replaces an organization.
    pub async fn put_organization(&self, organization: &Organization) -> Result<(), StateError> {
        self.put(Key::Organization(&organization.name), organization).await
    }

    /// Deletes an organization, its teams and its log. Its repositories, robots and mirror must be gone.
    pub async fn delete_organization(&self, name: &Namespace) -> Result<(), StateError> {
        let prefixes = [
            prefix::TEAM,
            prefix::TEAM_MEMBER,
            prefix::TEAM_GRANT,
            prefix::LOG,
            prefix::DISCOVERED,
            prefix::TURN,
            prefix::RATE_LIMIT,
        ];
        for prefix in prefixes {
            self.delete_all(&namespace_pk(name), prefix).await?;
        }
        let mut transaction = Transaction::new(self);
        transaction.delete(Key::Organization(name), None)?;
        transaction.delete(Key::OrganizationEntry(name), None)?;
        transaction.commit().await?;
        Ok(())
    }

    /// All namespaces: the organizations', and the admin's own.
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
