//! A robot, a repository, and the robot's role there: all that decides a pull, in one request.

use std::collections::BTreeSet;

use moorage_domain::{Generation, Namespace, RepositoryName, RobotName};
use serde::de::DeserializeOwned;

use crate::{
    StateError, Table,
    access::{permission::Role, robot::Robot, team_role::greatest},
    key::{Key, PK, SK},
    organizations::generation::{ADMIN, Present},
    repositories::repository::Repository,
    table::Item,
};

/// What there is of a robot and a repository at one moment.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The robot, as [`Table::robot`] reads it.
    pub robot: Option<Robot>,
    /// The repository, as [`Table::repository`] reads it.
    pub repository: Option<Repository>,
    /// The robot's role there, as [`Table::role_in_all`] finds it; nothing of a robot that is in teams, whose roles count, too.
    pub role: Option<Role>,
}

impl Table {
    /// Reads a robot and a repository with the robot's own role there. One request, whatever there is: nobody has shown yet
    /// that the robot calls, and time must not tell who only guesses its name what it is and has.
    pub async fn standing(&self, robot: &RobotName, repository: &RepositoryName) -> Result<Standing, StateError> {
        let (home, namespace) = (robot.namespace(), repository.namespace());
        // No key may be asked for twice.
        let organizations = BTreeSet::from([&home, &namespace]).into_iter().filter(|it| it.as_str() != ADMIN);
        let keys = [Key::Robot(robot), Key::Repository(repository), Key::Permission(repository, robot)];
        let keys = keys.into_iter().chain(organizations.map(Key::Organization)).collect::<Vec<_>>();
        let items = self.get_items(keys.iter().map(Key::attributes).collect()).await?;
        let present = |namespace: &Namespace| generation(&items, namespace);
        let (of_robot, of_repository) = (present(&home)?, present(&namespace)?);
        let found: Option<Robot> = parsed(&items, Key::Robot(robot))?;
        let found = found.filter(|robot| Some(robot.organization_id) == of_robot);
        let on: Option<Repository> = parsed(&items, Key::Repository(repository))?;
        let on = on.filter(|on| !on.is_deleted && Some(on.organization_id) == of_repository);
        let role = match (&found, &on) {
            (Some(robot), Some(on))
                if robot.teams.is_empty() && home == namespace && robot.organization_id == on.organization_id =>
            {
                let own = parsed(&items, Key::Permission(repository, &robot.name))?;
                greatest(own.as_slice(), robot.id)
            }
            _ => None,
        };
        Ok(Standing { robot: found, repository: on, role })
    }
}

/// Which of those that bore its name a namespace is.
pub(crate) fn generation(items: &[Item], namespace: &Namespace) -> Result<Option<Generation>, StateError> {
    if namespace.as_str() == ADMIN {
        return Ok(Some(Generation::default()));
    }
    let present: Option<Present> = parsed(items, Key::Organization(namespace))?;
    Ok(present.map(|present| present.id))
}

/// The item of a key, if it was found.
pub(crate) fn parsed<T: DeserializeOwned>(items: &[Item], key: Key<'_>) -> Result<Option<T>, StateError> {
    let key = key.attributes();
    let item = items.iter().find(|item| [PK, SK].iter().all(|name| item.get(*name) == key.get(*name)));
    Ok(item.map(|item| serde_dynamo::from_item(item.clone())).transpose()?)
}
