//! What a person may do by their own role and by their teams, as the table has it at present: whatever outlived what it belongs
//! to is void.

use std::collections::BTreeSet;

use moorage_domain::{Generation, Namespace, TeamName};
use serde::de::DeserializeOwned;

use crate::{
    StateError, Table,
    access::{permission::Role, team_role::TeamPermission},
    key::{Key, PK, SK, namespace_pk, prefix},
    organizations::{
        generation::{ADMIN, Present},
        team::{Team, TeamRole},
    },
    people::{
        identity::{PersonIdentity, PersonTeam},
        permission::UserPermission,
    },
    repositories::repository::Repository,
    table::Item,
};

/// A team that somebody is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamStanding {
    /// The team's organization.
    pub organization: Namespace,
    /// Which of those that bore its name.
    pub organization_id: Generation,
    /// The team.
    pub team: TeamName,
    /// What it may do in the organization.
    pub role: TeamRole,
}

impl Table {
    /// The greatest role that a person has on a repository: their own, their teams', and `admin` where one of the teams is of
    /// that role in the organization. One request for up to some fifty teams in the repository's organization.
    pub async fn person_role(&self, on: &Repository, person: &PersonIdentity) -> Result<Option<Role>, StateError> {
        let (repository, organization) = (&on.repository, on.repository.namespace());
        let is_there = |it: &&PersonTeam| it.organization == organization && it.organization_id == on.organization_id;
        // They may be in one by several ways; no key may be asked for twice.
        let teams: BTreeSet<_> = person.teams.iter().filter(is_there).map(|it| &it.team).collect();
        let of_teams = teams.into_iter().flat_map(|team| {
            [Key::Team(&organization, team), Key::TeamPermission(repository, team)].map(|key| key.attributes())
        });
        let keys = std::iter::once(Key::UserPermission(repository, &person.name).attributes()).chain(of_teams);
        greatest(&self.get_items(keys.collect()).await?, on, person)
    }

    /// The teams that a person is in, of all organizations or of `only` one.
    pub async fn person_teams(
        &self,
        person: &PersonIdentity,
        only: Option<&Namespace>,
    ) -> Result<Vec<TeamStanding>, StateError> {
        let claimed = person.teams.iter().filter(|it| only.is_none_or(|only| it.organization == *only));
        let teams: BTreeSet<_> = claimed.map(|it| (&it.organization, &it.team)).collect();
        let organizations: BTreeSet<_> = teams.iter().map(|(organization, _)| *organization).collect();
        let keys = teams.iter().map(|(organization, team)| Key::Team(organization, team));
        let keys = keys.chain(organizations.iter().map(|it| Key::Organization(it))).map(|key| key.attributes());
        let items = self.get_items(keys.collect()).await?;
        let mut standings = Vec::new();
        for organization in organizations {
            let Some(present) = of::<Present>(&items, organization, |sk| sk == "ORGANIZATION")?.pop() else { continue };
            let found = of::<Team>(&items, organization, |sk| sk.starts_with(prefix::TEAM))?;
            standings.extend(found.into_iter().filter(|team| person.is_in(organization, present.id, team)).map(
                |team| {
                    let (organization, organization_id) = (organization.clone(), present.id);
                    TeamStanding { organization, organization_id, team: team.name, role: team.role }
                },
            ));
        }
        Ok(standings)
    }
}

/// Those of some items of an organization's partition whose sort key is like this. The admin's own namespace has no teams.
fn of<T: DeserializeOwned>(
    items: &[Item],
    organization: &Namespace,
    is_one: impl Fn(&str) -> bool,
) -> Result<Vec<T>, StateError> {
    if organization.as_str() == ADMIN {
        return Ok(Vec::new());
    }
    let pk = namespace_pk(organization);
    let ours = items.iter().filter(|item| text(item, PK) == pk && is_one(text(item, SK)));
    Ok(ours.map(|item| serde_dynamo::from_item(item.clone())).collect::<Result<_, _>>()?)
}

fn text<'i>(item: &'i Item, name: &str) -> &'i str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

/// The greatest of the roles that some items give a person on a repository.
fn greatest(items: &[Item], on: &Repository, person: &PersonIdentity) -> Result<Option<Role>, StateError> {
    let (mut roles, mut teams, mut of_teams) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        let sk = text(item, SK);
        if sk.starts_with(prefix::USER_PERMISSION) {
            let own: UserPermission = serde_dynamo::from_item(item.clone())?;
            roles.extend(own.of(on, (&person.name, person.id)));
        } else if sk.starts_with(prefix::TEAM_PERMISSION) {
            of_teams.push(serde_dynamo::from_item::<_, TeamPermission>(item.clone())?);
        } else if sk.starts_with(prefix::TEAM) {
            teams.push(serde_dynamo::from_item::<_, Team>(item.clone())?);
        }
    }
    teams.retain(|team| person.is_in(&on.repository.namespace(), on.organization_id, team));
    roles.extend(teams.iter().filter(|team| team.role == TeamRole::Admin).map(|_| Role::Admin));
    // A role of a team that is gone, or that they are not in, is void.
    let is_theirs = |it: &&TeamPermission| teams.iter().any(|team| team.name == it.team);
    roles.extend(of_teams.iter().filter(is_theirs).map(|it| it.role));
    Ok(roles.into_iter().max())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        people::{
            bound_team::tests::bound,
            permission::tests::{permission, repository},
            user::{
                User,
                tests::{membership, user},
            },
        },
        table::item,
    };

    fn id(number: u128) -> Generation {
        Generation::new(Uuid::from_u128(number))
    }

    fn team(name: &str, number: u128, role: TeamRole, group: Option<&str>) -> Team {
        let group = group.map(|group| group.parse().unwrap());
        Team { name: name.parse().unwrap(), id: id(number), role, description: String::new(), group }
    }

    #[test]
    fn the_greatest_role_counts_that_is_not_void() {
        let on = repository("acme/app", 1);
        let acme: Namespace = "acme".parse().unwrap();
        let ann = User {
            teams: [membership("acme/dev", 1)].into(),
            groups: ["ops".parse().unwrap()].into(),
            ..user("ann", 1)
        };
        let person = ann.identity(&[bound("acme/ops", 1, "ops")]).unwrap();
        let own = |user: &User, role| {
            item(Key::UserPermission(&on.repository, &user.name), &permission(&on, user, role)).unwrap()
        };
        let of_team = |name: &str, role| {
            let team = name.parse().unwrap();
            item(Key::TeamPermission(&on.repository, &team), &TeamPermission { team: team.clone(), role }).unwrap()
        };
        let there = |it: Team| item(Key::Team(&acme, &it.name), &it).unwrap();
        let role = |items: &[Item]| greatest(items, &on, &person).unwrap();
        let member = |name, number, group| there(team(name, number, TeamRole::Member, group));
        let (dev, ops) = (member("dev", 1, None), member("ops", 1, Some("ops")));
        assert_eq!(role(&[]), None);
        assert_eq!(role(&[dev.clone(), ops.clone()]), None, "to be in a team is no role");
        assert_eq!(role(&[own(&ann, Role::Read)]), Some(Role::Read));
        assert_eq!(role(&[own(&user("ann", 2), Role::Admin)]), None, "of another user of the name");
        let (write, admin) = (of_team("dev", Role::Write), of_team("ops", Role::Admin));
        assert_eq!(role(&[own(&ann, Role::Read), dev.clone(), write.clone()]), Some(Role::Write));
        assert_eq!(role(&[dev, write.clone(), ops.clone(), admin.clone()]), Some(Role::Admin));
        assert_eq!(role(&[write.clone(), admin.clone()]), None, "the teams are gone");
        assert_eq!(role(&[member("dev", 2, None), write.clone()]), None, "another team of the name");
        assert_eq!(role(&[member("dev", 1, Some("dev")), write]), None, "bound to a group by now");
        assert_eq!(role(&[member("ops", 1, None), admin.clone()]), None, "not bound any more");
        assert_eq!(role(&[member("ops", 1, Some("sales")), admin]), None, "bound to another group");
        assert_eq!(role(&[there(team("dev", 1, TeamRole::Admin, None))]), Some(Role::Admin), "on all repositories");
        assert_eq!(role(&[there(team("ops", 1, TeamRole::Creator, Some("ops")))]), None);
    }

    #[test]
    fn teams_are_looked_for_in_their_own_organization() {
        let (acme, other): (Namespace, Namespace) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let dev = team("dev", 1, TeamRole::Admin, None);
        let items = [item(Key::Team(&acme, &dev.name), &dev).unwrap()];
        let found = |of_whom: &Namespace| of::<Team>(&items, of_whom, |sk| sk.starts_with(prefix::TEAM)).unwrap();
        assert_eq!((found(&acme).len(), found(&other).len()), (1, 0));
    }
}
