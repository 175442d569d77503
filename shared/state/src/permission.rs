//! What robots may do with repositories.

use moorage_domain::{RepositoryName, RobotName};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, grants_prefix, namespace_pk, prefix, repository_pk},
    table::Item,
    transaction::{Committed, Transaction},
};

/// What somebody may do with a repository, or a token with a namespace. Each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Pull.
    Read,
    /// Pull and push; on a mirror, be its robot.
    Write,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them, the smallest first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Permission {
    pub(crate) role: Role,
}

/// A permission as it is found from its robot.
#[derive(Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) repository: RepositoryName,
    pub(crate) role: Role,
}

/// A permission with its sort key, which names the robot.
#[derive(Deserialize)]
struct PermissionItem {
    sk: String,
    role: Role,
}

impl Table {
    /// The robot's role on the repository.
    pub async fn role(&self, repository: &RepositoryName, robot: &RobotName) -> Result<Option<Role>, StateError> {
        let permission: Option<Permission> = self.get(Key::Permission(repository, robot)).await?;
        Ok(permission.map(|permission| permission.role))
    }

    /// The robots that have a role on the repository, by name.
    pub async fn roles(&self, repository: &RepositoryName) -> Result<Vec<(RobotName, Role)>, StateError> {
        let items: Vec<PermissionItem> = self.all(repository_pk(repository), prefix::PERMISSION).await?;
        let robot = |item: &PermissionItem| item.sk.strip_prefix(prefix::PERMISSION)?.parse().ok();
        Ok(items.iter().filter_map(|item| Some((robot(item)?, item.role))).collect())
    }

    /// The repositories on which the robot has a role, by name.
    pub async fn grants(&self, robot: &RobotName) -> Result<Vec<(RepositoryName, Role)>, StateError> {
        let items: Vec<Grant> = self.all(namespace_pk(&robot.namespace()), &grants_prefix(robot)).await?;
        Ok(items.into_iter().map(|grant| (grant.repository, grant.role)).collect())
    }

    /// Gives the robot a role on the repository; [`StateError::NotFound`] if there is no such robot.
    pub async fn grant(&self, repository: &RepositoryName, robot: &RobotName, role: Role) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        transaction.expect(Key::Robot(robot))?;
        grant(&mut transaction, repository, robot, role)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// Takes the robot's role on the repository away; [`StateError::NotFound`] if it has none.
    pub async fn revoke(&self, repository: &RepositoryName, robot: &RobotName) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        transaction.delete(Key::Permission(repository, robot), Some(("attribute_exists(#pk)", Item::new())))?;
        transaction.delete(Key::Grant(robot, repository), None)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }
}

/// Adds a permission, both ways in which it is found.
pub(crate) fn grant(
    transaction: &mut Transaction<'_>,
    repository: &RepositoryName,
    robot: &RobotName,
    role: Role,
) -> Result<(), StateError> {
    transaction.put(Key::Permission(repository, robot), &Permission { role })?;
    transaction.put(Key::Grant(robot, repository), &Grant { repository: repository.clone(), role })
}
