//! The end of robots: with their memberships and roles.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::RobotName;

use crate::{
    Race, StateError, Table,
    access::robot::Robot,
    key::Key,
    table::Item,
    transaction::{Committed, Transaction},
};

impl Table {
    /// Deletes a robot with its memberships and roles. [`StateError::Conflict`] if a mirror uses it,
    /// [`StateError::NotFound`] if there is none: of several callers one has deleted it. What a deletion that was interrupted
    /// has left goes all the same.
    pub async fn delete_robot(&self, name: &RobotName) -> Result<(), StateError> {
        let mut race = Race::begin();
        loop {
            let Some(robot) = self.get::<Robot>(Key::Robot(name)).await? else {
                self.revoke_all(name).await?;
                return Err(StateError::NotFound);
            };
            if robot.mirrors > 0 {
                return Err(StateError::Conflict);
            }
            if let Committed::Yes = self.delete_unused(&robot).await? {
                return self.revoke_all(name).await;
            }
            // A mirror or a team has just got it, or gave it up; or somebody else has deleted it.
            race.lost().await?;
        }
    }

    /// Deletes a robot as it was read.
    async fn delete_unused(&self, robot: &Robot) -> Result<Committed, StateError> {
        let mut transaction = Transaction::new(self);
        let mut values = Item::from([(":none".to_owned(), AttributeValue::N("0".to_owned()))]);
        let teams = if robot.teams.is_empty() {
            "attribute_not_exists(#teams)"
        } else {
            let teams = robot.teams.iter().map(ToString::to_string).collect();
            values.insert(":teams".to_owned(), AttributeValue::Ss(teams));
            "#teams = :teams"
        };
        let unused =
            format!("attribute_exists(#pk) AND (attribute_not_exists(#mirrors) OR #mirrors = :none) AND {teams}");
        transaction.delete(Key::Robot(&robot.name), Some((&unused, values)))?;
        for team in &robot.teams {
            transaction.delete(Key::TeamMember(team, &robot.name), None)?;
        }
        transaction.commit().await
    }

    /// Without the robot its roles are void, so that they may go later.
    async fn revoke_all(&self, name: &RobotName) -> Result<(), StateError> {
        for grant in self.all_grants(name).await? {
            self.forget_grant(&grant.repository, name).await?;
        }
        Ok(())
    }
}
