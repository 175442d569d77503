//! Who somebody is, for the question what they may: which user, and the teams that they say they are in.

use std::collections::BTreeSet;

use moorage_domain::{Generation, GroupName, Namespace, TeamName, UserName};

use crate::{
    organizations::team::Team,
    people::{bound_team::BoundTeam, user::User},
};

/// What decides which roles are a person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonIdentity {
    /// Their name.
    pub name: UserName,
    /// Which of those that bore the name.
    pub id: Generation,
    /// The teams that they would be in, as far as somebody remembers. Whoever asks what they may looks at each again.
    pub teams: BTreeSet<PersonTeam>,
}

/// A team that somebody would be in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonTeam {
    /// The team's organization.
    pub organization: Namespace,
    /// Which of those that bore its name.
    pub organization_id: Generation,
    /// The team.
    pub team: TeamName,
    /// Which of those that bore its name.
    pub team_id: Generation,
    /// The group by which they are in it; nothing for one that they were put into.
    pub by: Option<GroupName>,
}

impl User {
    /// Who they are, where these teams are bound to groups; nobody if they may do nothing.
    pub fn identity(&self, bound: &[BoundTeam]) -> Option<PersonIdentity> {
        if !self.enabled {
            return None;
        }
        let members = self.teams.iter().map(|it| PersonTeam {
            organization: it.organization.clone(),
            organization_id: it.organization_id,
            team: it.team.clone(),
            team_id: it.team_id,
            by: None,
        });
        let by_groups = bound.iter().filter(|it| self.groups.contains(&it.group)).map(|it| PersonTeam {
            organization: it.organization.clone(),
            organization_id: it.organization_id,
            team: it.team.clone(),
            team_id: it.team_id,
            by: Some(it.group.clone()),
        });
        Some(PersonIdentity { name: self.name.clone(), id: self.id, teams: members.chain(by_groups).collect() })
    }
}

impl PersonIdentity {
    /// Whether they are in a team of an organization, as both are at present. Into one that is bound to a group nobody is put:
    /// who was before is not in it.
    pub(crate) fn is_in(&self, organization: &Namespace, organization_id: Generation, team: &Team) -> bool {
        let is_it = |it: &PersonTeam| {
            it.team == team.name
                && it.team_id == team.id
                && it.by == team.group
                && it.organization == *organization
                && it.organization_id == organization_id
        };
        self.teams.iter().any(is_it)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        organizations::team::TeamRole,
        people::{
            bound_team::tests::bound,
            user::tests::{membership, user},
        },
    };

    fn id(number: u128) -> Generation {
        Generation::new(Uuid::from_u128(number))
    }

    #[test]
    fn somebody_is_in_teams_that_are_the_very_same() {
        let ann = User {
            teams: [membership("acme/dev", 1), membership("acme/late", 1)].into(),
            groups: ["ops".parse().unwrap()].into(),
            ..user("ann", 1)
        };
        let teams = [bound("acme/ops", 1, "ops"), bound("acme/sales", 1, "sales"), bound("acme/late", 1, "late")];
        let identity = ann.identity(&teams).unwrap();
        assert_eq!(User { enabled: false, ..ann }.identity(&teams), None);
        let acme: Namespace = "acme".parse().unwrap();
        let is_in = |name: &str, organization: u128, team: u128, group: Option<&str>| {
            let group = group.map(|group| group.parse().unwrap());
            let (name, role) = (name.parse().unwrap(), TeamRole::Member);
            let team = Team { name, id: id(team), role, description: String::new(), group };
            identity.is_in(&acme, id(organization), &team)
        };
        assert!(is_in("dev", 1, 1, None) && is_in("ops", 1, 1, Some("ops")));
        assert!(!is_in("dev", 2, 1, None) && !is_in("ops", 2, 1, Some("ops")), "another organization of the name");
        assert!(!is_in("dev", 1, 2, None) && !is_in("ops", 1, 2, Some("ops")), "another team of the name");
        assert!(!is_in("dev", 1, 1, Some("dev")), "bound by now");
        assert!(!is_in("ops", 1, 1, None) && !is_in("ops", 1, 1, Some("sales")), "not bound to it any more");
        assert!(!is_in("sales", 1, 1, Some("sales")) && !is_in("late", 1, 1, Some("late")), "not in the group");
        let other: Namespace = "other".parse().unwrap();
        let dev = Team {
            name: "dev".parse().unwrap(),
            id: id(1),
            role: TeamRole::Admin,
            description: String::new(),
            group: None,
        };
        assert!(!identity.is_in(&other, id(1), &dev));
    }
}
