//! Teams that are bound to a group: whoever is in the group is in the team, and nobody is put into it by hand. The team's item
//! names its group, and a partition lists all teams that are bound; both are written together.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Generation, GroupName, Namespace, TeamName};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    expression::Change,
    key::{Key, TEAM_GROUPS},
    organizations::{
        generation::{id_is, within},
        team::Team,
    },
    table::Item,
    transaction::{Committed, Transaction},
};

/// The most teams that are bound to groups, in all organizations: all of them are read at once, about half a megabyte. A few
/// that are bound at the same moment may go beyond it.
pub const MAX_BOUND_TEAMS: usize = 2_000;

/// A team that is bound to a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundTeam {
    /// The team's organization.
    pub organization: Namespace,
    /// Which of those that bore its name.
    pub organization_id: Generation,
    /// The team.
    pub team: TeamName,
    /// Which of those that bore its name.
    pub team_id: Generation,
    /// The group.
    pub group: GroupName,
}

/// Why a team is not bound to a group.
#[derive(Debug, thiserror::Error)]
pub enum BindTeamError {
    /// There is no such team any more.
    #[error("there is no such team")]
    NoTeam,
    /// There are [`MAX_BOUND_TEAMS`].
    #[error("{MAX_BOUND_TEAMS} teams are bound to groups")]
    TooMany,
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Table {
    /// All teams that are bound to groups.
    pub async fn bound_teams(&self) -> Result<Vec<BoundTeam>, StateError> {
        self.all(TEAM_GROUPS.to_owned(), "").await
    }

    /// Binds a team to a group, also one that is bound to another. People that were put into it are taken out; what of that was
    /// interrupted is void.
    pub async fn bind_team(
        &self,
        organization: &Namespace,
        organization_id: Generation,
        team: &Team,
        group: &GroupName,
    ) -> Result<(), BindTeamError> {
        let bound = self.bound_teams().await?;
        let is_it = |it: &BoundTeam| it.organization == *organization && it.team == team.name;
        if bound.len() >= MAX_BOUND_TEAMS && !bound.iter().any(is_it) {
            return Err(BindTeamError::TooMany);
        }
        let mut transaction = Transaction::new(self);
        let (id, value) = id_is(team.id)?;
        let condition = format!("attribute_exists(#pk) AND {id}");
        let change = Change { update: "SET #group = :group", condition: &condition };
        let values = [(":group".to_owned(), AttributeValue::S(group.to_string())), (":id".to_owned(), value)];
        transaction.update(Key::Team(organization, &team.name), change, Item::from(values))?;
        let entry = BoundTeam {
            organization: organization.clone(),
            organization_id,
            team: team.name.clone(),
            team_id: team.id,
            group: group.clone(),
        };
        transaction.put(Key::TeamGroup(organization, &team.name), &entry)?;
        within(&mut transaction, organization, organization_id)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(self.remove_user_members(organization, Some(&team.name)).await?),
            Committed::Refused(_) => Err(BindTeamError::NoTeam),
        }
    }

    /// Makes a team one again that people are put into; [`StateError::NotFound`] if there is none, or it is bound to no group.
    pub async fn unbind_team(&self, organization: &Namespace, team: &TeamName) -> Result<(), StateError> {
        // Those who were in it before it was bound, if that was interrupted: they must not come back.
        self.remove_user_members(organization, Some(team)).await?;
        let mut transaction = Transaction::new(self);
        let change = Change { update: "REMOVE #group", condition: "attribute_exists(#group)" };
        transaction.update(Key::Team(organization, team), change, Item::new())?;
        transaction.delete(Key::TeamGroup(organization, team), None)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// Takes the teams of an organization that ends off the list.
    pub(crate) async fn forget_bound_teams(&self, teams: &[Team], organization: &Namespace) -> Result<(), StateError> {
        let bound = teams.iter().filter(|team| team.group.is_some());
        self.delete_many(bound.map(|team| Key::TeamGroup(organization, &team.name).attributes()).collect()).await
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use uuid::Uuid;

    use super::*;

    /// A team, whose organization and itself are the `id`th of their names.
    pub(crate) fn bound(team: &str, id: u128, group: &str) -> BoundTeam {
        let (organization, team) = team.split_once('/').unwrap();
        let id = Generation::new(Uuid::from_u128(id));
        BoundTeam {
            organization: organization.parse().unwrap(),
            organization_id: id,
            team: team.parse().unwrap(),
            team_id: id,
            group: group.parse().unwrap(),
        }
    }
}
