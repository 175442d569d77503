//! Who is in which team. A robot's item names its teams, so that what it may do is known with the robot; each team has an
//! item of each member. Both are written together.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Namespace, RobotName, TeamName};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    error::or_gone,
    key::{Key, members_prefix, namespace_pk, prefix},
    table::Item,
    transaction::{Change, Committed, Transaction},
};

/// The most teams of one robot: one batch, which has up to 100 keys, reads all that decides what it may do with a
/// repository, and one transaction of as many writes deletes it.
pub const MAX_TEAMS: usize = 40;
/// Members that are removed at once.
const REMOVALS: usize = 8;

/// Why a robot does not get into a team.
#[derive(Debug, thiserror::Error)]
pub enum AddMemberError {
    /// It is in it.
    #[error("the robot is in the team")]
    IsMember,
    /// There is no such team.
    #[error("there is no such team")]
    NoTeam,
    /// There is no such robot.
    #[error("there is no such robot")]
    NoRobot,
    /// It is in [`MAX_TEAMS`] teams.
    #[error("the robot is in {MAX_TEAMS} teams")]
    TooMany,
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
}

#[derive(Serialize, Deserialize)]
struct Member {
    team: TeamName,
    robot: RobotName,
}

impl Table {
    /// Adds a robot to a team of its organization.
    pub async fn add_member(&self, team: &TeamName, robot: &RobotName) -> Result<(), AddMemberError> {
        let mut transaction = Transaction::new(self);
        let member = Member { team: team.clone(), robot: robot.clone() };
        transaction.create(Key::TeamMember(team, robot), &member)?;
        transaction.expect(Key::Team(&robot.namespace(), team))?;
        let change = Change {
            update: "ADD #teams :team",
            condition: "attribute_exists(#pk) AND (attribute_not_exists(#teams) OR size(#teams) < :most)",
        };
        let most = AttributeValue::N(MAX_TEAMS.to_string());
        let values = Item::from([(":team".to_owned(), set(team)), (":most".to_owned(), most)]);
        transaction.update(Key::Robot(robot), change, values)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(AddMemberError::IsMember),
            Committed::Refused(1) => Err(AddMemberError::NoTeam),
            Committed::Refused(_) if self.robot(robot).await?.is_some() => Err(AddMemberError::TooMany),
            Committed::Refused(_) => Err(AddMemberError::NoRobot),
        }
    }

    /// Takes a robot out of a team; [`StateError::NotFound`] if it is not in it.
    pub async fn remove_member(&self, team: &TeamName, robot: &RobotName) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        transaction.delete(Key::TeamMember(team, robot), Some(("attribute_exists(#pk)", Item::new())))?;
        let change = Change { update: "DELETE #teams :team", condition: "attribute_exists(#pk)" };
        transaction.update(Key::Robot(robot), change, Item::from([(":team".to_owned(), set(team))]))?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// The members of a team, by name.
    pub async fn members(&self, organization: &Namespace, team: &TeamName) -> Result<Vec<RobotName>, StateError> {
        let members: Vec<Member> = self.all(namespace_pk(organization), &members_prefix(team)).await?;
        Ok(members.into_iter().map(|member| member.robot).collect())
    }

    /// All memberships in an organization: the team of each.
    pub async fn memberships(&self, organization: &Namespace) -> Result<Vec<TeamName>, StateError> {
        let members: Vec<Member> = self.all(namespace_pk(organization), prefix::TEAM_MEMBER).await?;
        Ok(members.into_iter().map(|member| member.team).collect())
    }

    /// Empties a team.
    pub(crate) async fn remove_members(&self, organization: &Namespace, team: &TeamName) -> Result<(), StateError> {
        let members = self.members(organization, team).await?;
        let remove = |robot: RobotName| async move { or_gone(self.remove_member(team, &robot).await) };
        stream::iter(members).map(remove).buffer_unordered(REMOVALS).try_collect().await
    }
}

fn set(team: &TeamName) -> AttributeValue {
    AttributeValue::Ss(vec![team.to_string()])
}
