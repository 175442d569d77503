//! What robots may do with repositories. A role counts only for the very robot that it was given to.

use moorage_domain::{Generation, RepositoryName, RobotName};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    access::{robot::Robot, robot_use},
    key::{Key, grants_prefix, namespace_pk, prefix, repository_pk},
    organizations::generation::within,
    repositories::repository,
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
    role: Role,
    /// Which of the robots that bore the name has it.
    #[serde(default)]
    robot_id: Generation,
}

/// A permission as it is found from its robot.
#[derive(Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) repository: RepositoryName,
    pub(crate) role: Role,
    #[serde(default)]
    pub(crate) robot_id: Generation,
}

/// A permission with its sort key, which names the robot.
#[derive(Deserialize)]
struct PermissionItem {
    sk: String,
    role: Role,
    #[serde(default)]
    robot_id: Generation,
}

impl Table {
    /// The role that a robot has of its own on the repository.
    pub async fn role(&self, repository: &RepositoryName, robot: &Robot) -> Result<Option<Role>, StateError> {
        let permission: Option<Permission> = self.get(Key::Permission(repository, &robot.name)).await?;
        Ok(permission.filter(|permission| permission.robot_id == robot.id).map(|permission| permission.role))
    }

    /// The robots that have a role on the repository, by name.
    pub async fn roles(&self, repository: &RepositoryName) -> Result<Vec<(RobotName, Role)>, StateError> {
        let items = self.permissions(repository).await?;
        let names: Vec<_> = items.iter().map(|(robot, _)| robot.clone()).collect();
        let robots = self.robot_generations(&names).await?;
        let is_theirs = |robot: &RobotName, id| robots.get(robot) == Some(&id);
        let theirs = items.into_iter().filter(|(robot, item)| is_theirs(robot, item.robot_id));
        Ok(theirs.map(|(robot, item)| (robot, item.role)).collect())
    }

    /// The robots that have or had a role on the repository, also those that are gone.
    pub(crate) async fn robots_with_roles(&self, repository: &RepositoryName) -> Result<Vec<RobotName>, StateError> {
        Ok(self.permissions(repository).await?.into_iter().map(|(robot, _)| robot).collect())
    }

    async fn permissions(&self, repository: &RepositoryName) -> Result<Vec<(RobotName, PermissionItem)>, StateError> {
        let items: Vec<PermissionItem> = self.all(repository_pk(repository), prefix::PERMISSION).await?;
        let robot = |item: &PermissionItem| item.sk.strip_prefix(prefix::PERMISSION)?.parse().ok();
        Ok(items.into_iter().filter_map(|item| Some((robot(&item)?, item))).collect())
    }

    /// The repositories on which the robot has a role, by name.
    pub async fn grants(&self, robot: &Robot) -> Result<Vec<(RepositoryName, Role)>, StateError> {
        let grants = self.all_grants(&robot.name).await?.into_iter().filter(|grant| grant.robot_id == robot.id);
        Ok(grants.map(|grant| (grant.repository, grant.role)).collect())
    }

    /// The roles of all robots that have borne a name.
    pub(crate) async fn all_grants(&self, robot: &RobotName) -> Result<Vec<Grant>, StateError> {
        self.all(namespace_pk(&robot.namespace()), &grants_prefix(robot)).await
    }

    /// Gives the robot a role on the repository; [`StateError::NotFound`] if it or the repository is gone by now.
    pub async fn grant(&self, repository: &RepositoryName, robot: &Robot, role: Role) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        robot_use::expect_robot(&mut transaction, robot)?;
        repository::expect(&mut transaction, repository)?;
        grant(&mut transaction, repository, robot, role)?;
        within(&mut transaction, &repository.namespace(), robot.organization_id)?;
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

    /// Takes a role away whichever half of it is there.
    pub(crate) async fn forget_grant(&self, repository: &RepositoryName, robot: &RobotName) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        transaction.delete(Key::Permission(repository, robot), None)?;
        transaction.delete(Key::Grant(robot, repository), None)?;
        transaction.commit().await.map(drop)
    }
}

/// Adds a permission, both ways in which it is found.
pub(crate) fn grant(
    transaction: &mut Transaction<'_>,
    repository: &RepositoryName,
    robot: &Robot,
    role: Role,
) -> Result<(), StateError> {
    let (robot_id, robot) = (robot.id, &robot.name);
    transaction.put(Key::Permission(repository, robot), &Permission { role, robot_id })?;
    transaction.put(Key::Grant(robot, repository), &Grant { repository: repository.clone(), role, robot_id })
}
