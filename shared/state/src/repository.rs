//! Repositories and who may use them.

use moorage_domain::{RepositoryName, RobotName, Timestamp, mirror::RepositoryState};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, prefix, repository_pk},
    table::conditional,
};

/// A repository of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its full name.
    pub repository: RepositoryName,
    /// What it is for.
    pub state: RepositoryState,
    /// Whether everybody may pull.
    pub is_public: bool,
    /// Free text.
    pub description: String,
    /// When it was created.
    pub created: Timestamp,
}

/// What a robot may do with a repository. Each role includes those before it.
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

#[derive(Serialize, Deserialize)]
struct Permission {
    role: Role,
}

/// A permission with its sort key, which names the robot.
#[derive(Deserialize)]
struct PermissionItem {
    sk: String,
    role: Role,
}

impl Table {
    /// Creates a repository; [`StateError::Conflict`] if the name is taken.
    pub async fn create_repository(&self, repository: &Repository) -> Result<(), StateError> {
        self.create(Key::Repository(&repository.repository), repository).await
    }

    /// Reads a repository.
    pub async fn repository(&self, name: &RepositoryName) -> Result<Option<Repository>, StateError> {
        self.get(Key::Repository(name)).await
    }

    /// Changes what a repository is for; [`StateError::NotFound`] if there is none.
    pub async fn set_repository_state(&self, name: &RepositoryName, state: RepositoryState) -> Result<(), StateError> {
        let request = self.update(Key::Repository(name));
        let request = request.update_expression("SET #state = :state").condition_expression("attribute_exists(#state)");
        let request = request.expression_attribute_names("#state", "state");
        let request = request.expression_attribute_values(":state", serde_dynamo::to_attribute_value(state)?);
        match conditional(request).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }

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

    /// Gives the robot a role on the repository.
    pub async fn grant(&self, repository: &RepositoryName, robot: &RobotName, role: Role) -> Result<(), StateError> {
        self.put(Key::Permission(repository, robot), &Permission { role }).await
    }
}
