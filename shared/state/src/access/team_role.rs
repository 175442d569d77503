//! The roles of teams on repositories, and what a robot may do by its own role and by its teams.

use std::collections::BTreeSet;

use moorage_domain::{Generation, Namespace, RepositoryName, RobotName, TeamName};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    access::{permission::Role, robot::Robot},
    key::{Key, namespace_pk, prefix, repository_pk, team_grants_prefix},
    organizations::generation::within,
    repositories::repository::{self, Repository},
    table::Item,
    transaction::{Committed, Transaction},
};

#[derive(Serialize, Deserialize)]
pub(crate) struct TeamPermission {
    pub(crate) team: TeamName,
    pub(crate) role: Role,
}

/// A permission as it is found from its team.
#[derive(Serialize, Deserialize)]
pub(crate) struct TeamGrant {
    team: TeamName,
    repository: RepositoryName,
    role: Role,
}

/// A role as some item has it: a robot's on a repository, a team's on a repository, or a team's in its organization.
#[derive(Debug, Deserialize)]
pub(crate) struct Found {
    sk: String,
    role: Word,
    /// Which of the robots that bore the name has it, if it is a robot's.
    #[serde(default)]
    robot_id: Generation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Member,
    Creator,
    Read,
    Write,
    Admin,
}

impl Word {
    fn role(self) -> Option<Role> {
        match self {
            Self::Member | Self::Creator => None,
            Self::Read => Some(Role::Read),
            Self::Write => Some(Role::Write),
            Self::Admin => Some(Role::Admin),
        }
    }
}

impl Table {
    /// Gives a team a role on a repository; [`StateError::NotFound`] if either is gone by now.
    pub async fn grant_team(&self, on: &Repository, team: &TeamName, role: Role) -> Result<(), StateError> {
        let repository = &on.repository;
        let mut transaction = Transaction::new(self);
        transaction.expect(Key::Team(&repository.namespace(), team))?;
        repository::expect(&mut transaction, repository)?;
        transaction.put(Key::TeamPermission(repository, team), &TeamPermission { team: team.clone(), role })?;
        let grant = TeamGrant { team: team.clone(), repository: repository.clone(), role };
        transaction.put(Key::TeamGrant(team, repository), &grant)?;
        within(&mut transaction, &repository.namespace(), on.organization_id)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// Takes a team's role on a repository away; [`StateError::NotFound`] if it has none.
    pub async fn revoke_team(&self, repository: &RepositoryName, team: &TeamName) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        transaction.delete(Key::TeamPermission(repository, team), Some(("attribute_exists(#pk)", Item::new())))?;
        transaction.delete(Key::TeamGrant(team, repository), None)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
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

    /// The repositories on which a team has a role, by name.
    pub async fn team_grants(
        &self,
        organization: &Namespace,
        team: &TeamName,
    ) -> Result<Vec<(RepositoryName, Role)>, StateError> {
        let grants: Vec<TeamGrant> = self.all(namespace_pk(organization), &team_grants_prefix(team)).await?;
        Ok(grants.into_iter().map(|grant| (grant.repository, grant.role)).collect())
    }

    /// All roles of teams on an organization's repositories: the team of each.
    pub async fn all_team_grants(&self, organization: &Namespace) -> Result<Vec<TeamName>, StateError> {
        let grants: Vec<TeamGrant> = self.all(namespace_pk(organization), prefix::TEAM_GRANT).await?;
        Ok(grants.into_iter().map(|grant| grant.team).collect())
    }

    /// Takes all of a team's roles away.
    pub(crate) async fn revoke_roles_of(&self, organization: &Namespace, team: &TeamName) -> Result<(), StateError> {
        for (repository, _) in self.team_grants(organization, team).await? {
            let mut transaction = Transaction::new(self);
            transaction.delete(Key::TeamPermission(&repository, team), None)?;
            transaction.delete(Key::TeamGrant(team, &repository), None)?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// The greatest role that a robot has on a repository: its own, its teams', and `admin` where one of the teams is of
    /// that role in the organization. One request, whatever there is. A robot of another organization has none, also of one
    /// that bore the same name before.
    pub async fn role_in_all(&self, on: &Repository, robot: &RobotIdentity) -> Result<Option<Role>, StateError> {
        let (repository, organization) = (&on.repository, robot.name.namespace());
        if repository.namespace() != organization || on.organization_id != robot.organization_id {
            return Ok(None);
        }
        let keys = std::iter::once(Key::Permission(repository, &robot.name).attributes()).chain(
            robot.teams.iter().flat_map(|team| {
                [Key::TeamPermission(repository, team), Key::Team(&organization, team)].map(|key| key.attributes())
            }),
        );
        Ok(greatest(&self.get_all::<Found>(keys.collect()).await?, robot.id))
    }
}

/// What decides which roles are a robot's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RobotIdentity {
    /// Its full name.
    pub name: RobotName,
    /// Which of those that bore the name.
    pub id: Generation,
    /// Which of the organizations that bore the namespace's name it belongs to.
    pub organization_id: Generation,
    /// The teams that it is in.
    pub teams: BTreeSet<TeamName>,
}

impl From<Robot> for RobotIdentity {
    fn from(robot: Robot) -> Self {
        let Robot { name, id, organization_id, teams, .. } = robot;
        Self { name, id, organization_id, teams }
    }
}

/// The greatest role among those found. A team's role without the team is void, and so is the role of another robot that
/// bore the name.
pub(crate) fn greatest(found: &[Found], robot: Generation) -> Option<Role> {
    let of = |prefix: &'static str| found.iter().filter_map(move |it| Some((it.sk.strip_prefix(prefix)?, it)));
    let is_team = |name: &str| of(prefix::TEAM).any(|(team, _)| team == name);
    let own = of(prefix::PERMISSION).filter(|(_, it)| it.robot_id == robot).filter_map(|(_, it)| it.role.role());
    let teams = of(prefix::TEAM_PERMISSION).filter(|(team, _)| is_team(team)).filter_map(|(_, it)| it.role.role());
    let organization = of(prefix::TEAM).filter_map(|(_, it)| it.role.role());
    own.chain(teams).chain(organization).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_role_counts() {
        let role = |found: &[(&str, Word)]| {
            let found = found.iter().map(|(sk, role)| Found {
                sk: (*sk).to_owned(),
                role: *role,
                robot_id: Generation::default(),
            });
            greatest(&found.collect::<Vec<_>>(), Generation::default())
        };
        let (own, team, other) = ("PERMISSION#a+bot", "TEAM#dev", "TEAM#ops");
        let (of_team, of_other) = ("TEAMPERMISSION#dev", "TEAMPERMISSION#ops");
        assert_eq!(role(&[]), None);
        assert_eq!(role(&[(own, Word::Read)]), Some(Role::Read));
        assert_eq!(role(&[(team, Word::Member), (other, Word::Creator)]), None, "to be in a team is no role");
        assert_eq!(role(&[(team, Word::Member), (of_team, Word::Write)]), Some(Role::Write));
        assert_eq!(role(&[(of_team, Word::Write)]), None, "the team is gone");
        assert_eq!(role(&[(other, Word::Member), (of_team, Word::Write)]), None, "of another one");
        assert_eq!(
            role(&[
                (own, Word::Read),
                (team, Word::Member),
                (of_team, Word::Write),
                (other, Word::Member),
                (of_other, Word::Read)
            ]),
            Some(Role::Write)
        );
        let former = Found { sk: own.to_owned(), role: Word::Admin, robot_id: Generation::new(uuid::Uuid::max()) };
        assert_eq!(greatest(&[former], Generation::default()), None, "of another robot of the name");
        assert_eq!(role(&[(team, Word::Admin)]), Some(Role::Admin), "on all repositories of the organization");
    }
}
