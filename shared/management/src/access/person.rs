//! Somebody who has signed in, and what they may do.

use moorage_domain::Namespace;
use moorage_state::{PersonIdentity, TeamRole, TeamStanding, User};

/// Somebody who has signed in with the identity provider.
#[derive(Debug)]
pub(crate) struct Person {
    /// Who it is.
    pub(crate) user: User,
    /// By what roles are theirs: read from the table where somebody asks for one repository, or for a list.
    pub(crate) identity: PersonIdentity,
    /// Whether they are in the group that may do everything.
    pub(crate) is_superuser: bool,
    /// The teams that they are in; none of a superuser, who needs none.
    pub(crate) teams: Vec<TeamStanding>,
}

impl Person {
    /// The greatest role of their teams in an organization, which they are in if there is one.
    pub(crate) fn team_role(&self, organization: &Namespace) -> Option<TeamRole> {
        self.teams.iter().filter(|team| team.organization == *organization).map(|team| team.role).max()
    }

    /// The organizations in which they are in a team, each once and by name.
    pub(crate) fn organizations(&self) -> Vec<Namespace> {
        let mut names: Vec<_> = self.teams.iter().map(|team| team.organization.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
