//! Who was put into which team. A user has an item of all teams that they are in, and each team one of each member; both are
//! written together.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Generation, Namespace, TeamName, UserName};
use serde::{Deserialize, Serialize};

use crate::{
    Race, StateError, Table,
    expression::Change,
    key::{Key, namespace_pk, prefix, team_users_prefix},
    organizations::{
        generation::{id_is, within},
        team::Team,
    },
    people::user::{Membership, User, UserRef, expect_user},
    table::Item,
    transaction::{Committed, Transaction},
};

/// The most teams that one user is put into, of all organizations: one transaction, which has up to 100 writes, deletes the
/// user with them. Groups go further.
pub const MAX_USER_TEAMS: usize = 80;
/// The most teams of one organization that one user is put into, so that no organization's admins use up what others may.
pub const MAX_USER_TEAMS_OF_ORGANIZATION: usize = 20;
/// Members that are removed at once.
const REMOVALS: usize = 8;

/// Why a user does not get into a team.
#[derive(Debug, thiserror::Error)]
pub enum AddUserError {
    /// They are in it.
    #[error("the user is in the team")]
    IsMember,
    /// There is no such team any more.
    #[error("there is no such team")]
    NoTeam,
    /// There is no such user any more.
    #[error("there is no such user")]
    NoUser,
    /// They are in [`MAX_USER_TEAMS`] teams.
    #[error("the user is in {MAX_USER_TEAMS} teams")]
    TooMany,
    /// They are in [`MAX_USER_TEAMS_OF_ORGANIZATION`] teams of the organization.
    #[error("the user is in {MAX_USER_TEAMS_OF_ORGANIZATION} teams of the organization")]
    TooManyHere,
    /// It is bound to a group.
    #[error("the team is bound to a group")]
    Synced,
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// That a user is in a team, as the team has it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TeamUser {
    user: UserName,
    user_id: Generation,
    membership: Membership,
}

/// Why somebody who is in these teams gets into no other one.
fn full(teams: &BTreeSet<Membership>, another: &Membership) -> Option<AddUserError> {
    if teams.contains(another) {
        return None;
    }
    let is_here = |it: &&Membership| it.organization == another.organization;
    if teams.iter().filter(is_here).count() >= MAX_USER_TEAMS_OF_ORGANIZATION {
        return Some(AddUserError::TooManyHere);
    }
    (teams.len() >= MAX_USER_TEAMS).then_some(AddUserError::TooMany)
}

impl Table {
    /// Puts a user into a team.
    pub async fn add_user_member(
        &self,
        organization: &Namespace,
        organization_id: Generation,
        team: &Team,
        user: &User,
    ) -> Result<(), AddUserError> {
        let mut race = Race::begin();
        loop {
            match self.add_to_team_as_read(organization, organization_id, team, user).await {
                // They just got into another team or out of one.
                Err(AddUserError::State(StateError::Conflict)) => race.lost().await?,
                result => return result,
            }
        }
    }

    /// As [`Self::add_user_member`]; [`StateError::Conflict`] if the teams that they are in have changed meanwhile.
    async fn add_to_team_as_read(
        &self,
        organization: &Namespace,
        organization_id: Generation,
        team: &Team,
        user: &User,
    ) -> Result<(), AddUserError> {
        let user = self.user(&user.name).await?.filter(|it| it.id == user.id).ok_or(AddUserError::NoUser)?;
        let membership = Membership {
            organization: organization.clone(),
            organization_id,
            team: team.name.clone(),
            team_id: team.id,
        };
        if let Some(full) = full(&user.teams, &membership) {
            return Err(full);
        }
        let (text, user_id) = (String::from(membership.clone()), serde_dynamo::to_attribute_value(user.id));
        let user_id: AttributeValue = user_id.map_err(StateError::from)?;
        let mut transaction = Transaction::new(self);
        let member = TeamUser { user: user.name.clone(), user_id: user.id, membership };
        // One that was left behind by another user or another team is void.
        let free = "attribute_not_exists(#pk) OR NOT #user_id = :user OR NOT #membership = :team";
        let values = [(":user".to_owned(), user_id.clone()), (":team".to_owned(), AttributeValue::S(text.clone()))];
        transaction.put_if(Key::TeamUser(organization, &team.name, &user.name), &member, free, Item::from(values))?;
        let (id, value) = id_is(team.id)?;
        let open = format!("attribute_exists(#pk) AND {id} AND attribute_not_exists(#group)");
        transaction.check(Key::Team(organization, &team.name), &open, Item::from([(":id".to_owned(), value)]))?;
        expect_user(&mut transaction, &UserRef::from(&user))?;
        let mut values = Item::from([
            (":name".to_owned(), AttributeValue::S(user.name.to_string())),
            (":user".to_owned(), user_id),
            (":team".to_owned(), AttributeValue::Ss(vec![text])),
        ]);
        // As it was read: how many of them are one organization's no condition counts.
        let condition = if user.teams.is_empty() {
            "(attribute_not_exists(#pk) OR #user_id = :user) AND attribute_not_exists(#teams)"
        } else {
            let teams = user.teams.iter().cloned().map(String::from).collect();
            values.insert(":teams".to_owned(), AttributeValue::Ss(teams));
            "#user_id = :user AND #teams = :teams"
        };
        let change = Change { update: "SET #user = :name, #user_id = :user ADD #teams :team", condition };
        transaction.update(Key::UserTeams(&user.name), change, values)?;
        within(&mut transaction, organization, organization_id)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(AddUserError::IsMember),
            Committed::Refused(1) => {
                let is_synced = self.team(organization, &team.name).await?.is_some_and(|it| it.id == team.id);
                Err(if is_synced { AddUserError::Synced } else { AddUserError::NoTeam })
            }
            Committed::Refused(2) => Err(AddUserError::NoUser),
            Committed::Refused(3) => Err(StateError::Conflict.into()),
            Committed::Refused(_) => Err(AddUserError::NoTeam),
        }
    }

    /// Takes a user out of a team; [`StateError::NotFound`] if they are not in it.
    pub async fn remove_user_member(
        &self,
        organization: &Namespace,
        team: &TeamName,
        user: &UserName,
    ) -> Result<(), StateError> {
        let member: Option<TeamUser> = self.get(Key::TeamUser(organization, team, user)).await?;
        self.remove_team_user(&member.ok_or(StateError::NotFound)?).await
    }

    /// Deletes both halves of a membership; of one that is void, what is there, and then it is [`StateError::NotFound`].
    async fn remove_team_user(&self, member: &TeamUser) -> Result<(), StateError> {
        let Membership { organization, team, .. } = &member.membership;
        let key = Key::TeamUser(organization, team, &member.user);
        let user_id: AttributeValue = serde_dynamo::to_attribute_value(member.user_id)?;
        let text = String::from(member.membership.clone());
        let of_user = Item::from([(":user".to_owned(), user_id.clone())]);
        let mut transaction = Transaction::new(self);
        transaction.delete(key, Some(("attribute_exists(#pk) AND #user_id = :user", of_user.clone())))?;
        let change = Change { update: "DELETE #teams :team", condition: "#user_id = :user" };
        let mut values = of_user.clone();
        values.insert(":team".to_owned(), AttributeValue::Ss(vec![text]));
        transaction.update(Key::UserTeams(&member.user), change, values)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(StateError::NotFound),
            // Of a user that is gone there is only this.
            Committed::Refused(_) => match self.delete_if(key, "user_id = :user", (":user", user_id)).await {
                Ok(()) | Err(StateError::Conflict) => Err(StateError::NotFound),
                result => result,
            },
        }
    }

    /// The users that were put into a team, by name.
    pub async fn user_members(&self, organization: &Namespace, team: &TeamName) -> Result<Vec<UserName>, StateError> {
        let members = self.all(namespace_pk(organization), &team_users_prefix(team)).await?;
        Ok(self.present_users(members).await?.into_iter().map(|member| member.user).collect())
    }

    /// All users that were put into teams of an organization, by team and name.
    pub async fn user_memberships(&self, organization: &Namespace) -> Result<Vec<(TeamName, UserName)>, StateError> {
        let members = self.all(namespace_pk(organization), prefix::TEAM_USER).await?;
        let present = self.present_users(members).await?.into_iter();
        Ok(present.map(|member| (member.membership.team, member.user)).collect())
    }

    /// Those of users that are there still.
    async fn present_users(&self, mut members: Vec<TeamUser>) -> Result<Vec<TeamUser>, StateError> {
        let users = self.user_generations(members.iter().map(|member| &member.user)).await?;
        members.retain(|member| users.get(&member.user) == Some(&member.user_id));
        Ok(members)
    }

    /// Takes all users out of a team, or of all of an organization's.
    pub(crate) async fn remove_user_members(
        &self,
        organization: &Namespace,
        team: Option<&TeamName>,
    ) -> Result<(), StateError> {
        let prefix = team.map_or_else(|| prefix::TEAM_USER.to_owned(), team_users_prefix);
        let members: Vec<TeamUser> = self.all(namespace_pk(organization), &prefix).await?;
        let remove = async |member: TeamUser| match self.remove_team_user(&member).await {
            Err(StateError::NotFound) => Ok(()),
            result => result,
        };
        stream::iter(members).map(remove).buffer_unordered(REMOVALS).try_collect().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::user::tests::membership;

    #[test]
    fn one_organization_takes_a_part_of_what_all_may() {
        let of = |organization: &str, count: usize| {
            (0..count).map(|number| membership(&format!("{organization}/t{number}"), 1)).collect::<Vec<_>>()
        };
        let (acme, other) = (membership("acme/one-more", 1), membership("other/one-more", 1));
        let mut teams: BTreeSet<_> = of("acme", MAX_USER_TEAMS_OF_ORGANIZATION - 1).into_iter().collect();
        assert!(full(&teams, &acme).is_none());
        teams.insert(acme.clone());
        assert!(full(&teams, &acme).is_none(), "the table says that they are in it");
        assert!(matches!(full(&teams, &membership("acme/two-more", 1)), Some(AddUserError::TooManyHere)));
        assert!(full(&teams, &other).is_none());
        for organization in ["b", "c", "d"] {
            teams.extend(of(organization, MAX_USER_TEAMS_OF_ORGANIZATION));
        }
        assert!(matches!(full(&teams, &other), Some(AddUserError::TooMany)));
    }
}
