//! All that a person may see, for lists: read once, and then each repository is judged without a request.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Generation, Namespace, RepositoryName, TeamName};

use crate::{
    StateError, Table,
    access::permission::Role,
    organizations::team::TeamRole,
    people::{identity::PersonIdentity, standing::TeamStanding},
    repositories::repository::Repository,
};

/// Teams whose roles are read at once.
const AT_ONCE: usize = 8;

/// The teams that a person is in, and their roles on repositories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    teams: Vec<TeamStanding>,
    /// By which repository of the name each is for.
    own: BTreeMap<RepositoryName, (Generation, Role)>,
    of_teams: BTreeMap<RepositoryName, Role>,
}

impl Reach {
    /// The teams that they are in.
    pub fn teams(&self) -> &[TeamStanding] {
        &self.teams
    }

    /// The greatest of what their teams may do in an organization; nothing if they are in none of its teams.
    pub fn role_in(&self, organization: &Namespace) -> Option<TeamRole> {
        self.teams.iter().filter(|it| it.organization == *organization).map(|it| it.role).max()
    }

    /// Which of those that bore its name an organization is in whose teams they are.
    pub fn organization_id(&self, organization: &Namespace) -> Option<Generation> {
        self.teams.iter().find(|it| it.organization == *organization).map(|it| it.organization_id)
    }

    /// Their greatest role on a repository, as [`Table::person_role`] finds it.
    pub fn role_on(&self, on: &Repository) -> Option<Role> {
        let organization = on.repository.namespace();
        let is_its = |it: &&TeamStanding| it.organization == organization && it.organization_id == on.organization_id;
        let is_in = self.teams.iter().any(|it| is_its(&it));
        let admin = self.teams.iter().filter(is_its).any(|it| it.role == TeamRole::Admin).then_some(Role::Admin);
        let own = self.own.get(&on.repository).filter(|(id, _)| *id == on.id).map(|(_, role)| *role);
        let of_teams = self.of_teams.get(&on.repository).filter(|_| is_in).copied();
        admin.max(own).max(of_teams)
    }

    /// The namespaces in which they may see something: they are in a team, or have a role on a repository.
    pub fn namespaces(&self) -> BTreeSet<Namespace> {
        let of_teams = self.teams.iter().map(|it| it.organization.clone());
        of_teams.chain(self.repositories().map(RepositoryName::namespace)).collect()
    }

    /// The repositories on which they or their teams have a role, by name. Where they are admin of an organization it is all of
    /// it besides; and those that are gone may be among them.
    pub fn repositories(&self) -> impl Iterator<Item = &RepositoryName> {
        self.own.keys().chain(self.of_teams.keys()).collect::<BTreeSet<_>>().into_iter()
    }
}

impl Table {
    /// All that a person may see, in all namespaces or in `only` one.
    pub async fn person_reach(&self, person: &PersonIdentity, only: Option<&Namespace>) -> Result<Reach, StateError> {
        let (teams, own) =
            futures_util::try_join!(self.person_teams(person, only), self.all_user_grants(&person.name))?;
        let is_asked = |name: &RepositoryName| only.is_none_or(|only| name.namespace() == *only);
        let own = own.into_iter().filter(|it| it.user_id == person.id && is_asked(&it.repository));
        let own = own.map(|it| (it.repository, (it.repository_id, it.role))).collect();
        // An admin's other roles add nothing.
        let some = teams.iter().filter(|it| it.role != TeamRole::Admin);
        let some: Vec<_> = some.map(|it| (it.organization.clone(), it.team.clone())).collect();
        let granted = async |(organization, team): (Namespace, TeamName)| self.team_grants(&organization, &team).await;
        let grants: Vec<_> = stream::iter(some).map(granted).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut of_teams = BTreeMap::new();
        for (repository, role) in grants.into_iter().flatten() {
            let kept = of_teams.entry(repository).or_insert(role);
            *kept = role.max(*kept);
        }
        Ok(Reach { teams, own, of_teams })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::people::permission::tests::repository;

    fn standing(organization: &str, id: u128, team: &str, role: TeamRole) -> TeamStanding {
        TeamStanding {
            organization: organization.parse().unwrap(),
            organization_id: Generation::new(Uuid::from_u128(id)),
            team: team.parse().unwrap(),
            role,
        }
    }

    #[test]
    fn lists_have_what_a_person_may_see() {
        let (app, web, lib) = (repository("acme/app", 1), repository("acme/web", 1), repository("other/lib", 1));
        let reach = Reach {
            teams: vec![
                standing("acme", 1, "dev", TeamRole::Member),
                standing("acme", 1, "make", TeamRole::Creator),
                standing("own", 3, "owners", TeamRole::Admin),
            ],
            own: [(app.repository.clone(), (app.id, Role::Read)), (lib.repository.clone(), (lib.id, Role::Read))]
                .into(),
            of_teams: [(app.repository.clone(), Role::Write)].into(),
        };
        assert_eq!(reach.role_on(&app), Some(Role::Write));
        assert_eq!(reach.role_on(&web), None);
        assert_eq!(reach.role_on(&lib), Some(Role::Read), "without a team");
        assert_eq!(reach.role_on(&repository("other/lib", 1)), None, "another repository of the name");
        assert_eq!(reach.role_on(&repository("acme/app", 2)), None, "another organization of the name");
        assert_eq!(reach.role_on(&repository("own/any", 3)), Some(Role::Admin));
        assert_eq!(reach.role_on(&repository("own/any", 4)), None, "another organization of the name");
        let names = |names: BTreeSet<Namespace>| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(names(reach.namespaces()), "acme other own");
        let of = |name: &str| reach.role_in(&name.parse().unwrap());
        assert_eq!((of("acme"), of("own"), of("other")), (Some(TeamRole::Creator), Some(TeamRole::Admin), None));
        assert_eq!(reach.repositories().count(), 2);
    }
}
