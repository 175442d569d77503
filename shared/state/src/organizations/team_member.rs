//! Who is in which team. A robot's item names its teams, so that what it may do is known with the robot; each team has an
//! item of each member. Both are written together.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Generation, Namespace, RobotName, TeamName};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    access::robot::Robot,
    error::or_gone,
    expression::Change,
    key::{Key, members_prefix, namespace_pk, prefix},
    organizations::generation::{id_is, within},
    table::Item,
    transaction::{Committed, Transaction},
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
pub(crate) struct Member {
    team: TeamName,
    robot: RobotName,
    /// Which of the robots that bore the name it is.
    #[serde(default)]
    robot_id: Generation,
}

impl Table {
    /// Adds a robot to a team of its organization.
    pub async fn add_member(&self, team: &TeamName, robot: &Robot) -> Result<(), AddMemberError> {
        let (organization, name) = (robot.name.namespace(), &robot.name);
        let mut transaction = Transaction::new(self);
        let member = Member { team: team.clone(), robot: name.clone(), robot_id: robot.id };
        let (id, value) = id_is(robot.id)?;
        // One that was left behind by another robot of the name is void.
        let is_first = robot.id == Generation::default();
        let void = if is_first { "attribute_exists(#robot_id) AND " } else { "" };
        let free = format!("attribute_not_exists(#pk) OR ({void}NOT #robot_id = :id)");
        let values = Item::from([(":id".to_owned(), value.clone())]);
        transaction.put_if(Key::TeamMember(team, name), &member, &free, values)?;
        transaction.expect(Key::Team(&organization, team))?;
        let condition =
            format!("attribute_exists(#pk) AND {id} AND (attribute_not_exists(#teams) OR size(#teams) < :most)");
        let change = Change { update: "ADD #teams :team", condition: &condition };
        let most = AttributeValue::N(MAX_TEAMS.to_string());
        let values = [(":team".to_owned(), set(team)), (":most".to_owned(), most), (":id".to_owned(), value)];
        transaction.update(Key::Robot(name), change, Item::from(values))?;
        within(&mut transaction, &organization, robot.organization_id)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(AddMemberError::IsMember),
            Committed::Refused(2) if self.robot(name).await?.is_some_and(|it| it.id == robot.id) => {
                Err(AddMemberError::TooMany)
            }
            Committed::Refused(2) => Err(AddMemberError::NoRobot),
            Committed::Refused(_) => Err(AddMemberError::NoTeam),
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
        let members = self.all(namespace_pk(organization), &members_prefix(team)).await?;
        Ok(self.present(members).await?.into_iter().map(|member| member.robot).collect())
    }

    /// All memberships in an organization: the team of each.
    pub async fn memberships(&self, organization: &Namespace) -> Result<Vec<TeamName>, StateError> {
        let members = self.all(namespace_pk(organization), prefix::TEAM_MEMBER).await?;
        Ok(self.present(members).await?.into_iter().map(|member| member.team).collect())
    }

    /// Those of robots that are there still.
    async fn present(&self, mut members: Vec<Member>) -> Result<Vec<Member>, StateError> {
        let names: Vec<_> = members.iter().map(|member| member.robot.clone()).collect();
        let robots = self.robot_generations(&names).await?;
        members.retain(|member| robots.get(&member.robot) == Some(&member.robot_id));
        Ok(members)
    }

    /// Empties a team.
    pub(crate) async fn remove_members(&self, organization: &Namespace, team: &TeamName) -> Result<(), StateError> {
        let members: Vec<Member> = self.all(namespace_pk(organization), &members_prefix(team)).await?;
        let remove = |member: Member| async move {
            match self.remove_member(team, &member.robot).await {
                // Of a robot that is gone there is only this.
                Err(StateError::NotFound) => or_gone(self.delete(Key::TeamMember(team, &member.robot)).await),
                result => result,
            }
        };
        stream::iter(members).map(remove).buffer_unordered(REMOVALS).try_collect().await
    }
}

fn set(team: &TeamName) -> AttributeValue {
    AttributeValue::Ss(vec![team.to_string()])
}
