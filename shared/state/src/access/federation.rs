//! Robots' federations: whose workloads may act as a robot, by their own provider's word.

use moorage_domain::{FederationId, Generation, RobotName};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    expression::Change,
    key::Key,
    organizations::generation::id_is,
    table::{Item, conditional},
};

/// A workload that may act as a robot: whom an issuer calls so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Federation {
    /// Its identity: what was logged in by it ends with it.
    pub id: FederationId,
    /// The issuer, letter by letter.
    pub issuer: String,
    /// The subject, letter by letter.
    pub subject: String,
    /// For one of which its tokens have to be; if there are none, tokens may be for whomever.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
}

impl Table {
    /// Replaces the federations of a robot, of those that bore the name this one; [`StateError::NotFound`] if it is there no
    /// more.
    pub async fn set_robot_federation(
        &self,
        (robot, id): (&RobotName, Generation),
        federation: &[Federation],
    ) -> Result<(), StateError> {
        let (id, own) = id_is(id)?;
        let condition = format!("attribute_exists(#pk) AND {id}");
        let change = Change { update: "SET #federation = :federation", condition: &condition };
        let federation = serde_dynamo::to_attribute_value(federation)?;
        let values = Item::from([(":federation".to_owned(), federation), (":id".to_owned(), own)]);
        match conditional(self.change(Key::Robot(robot), change, values)).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }
}
