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
    /// Replaces the federations of a robot, of those that bore the name this one; [`StateError::Conflict`] if it is there no
    /// more, or has others than those that were `read`: an id that somebody has ended meanwhile must not come back.
    pub async fn set_robot_federation(
        &self,
        (robot, id): (&RobotName, Generation),
        read: &[Federation],
        federation: &[Federation],
    ) -> Result<(), StateError> {
        let (id, own) = id_is(id)?;
        let is_unchanged = if read.is_empty() {
            "(attribute_not_exists(#federation) OR #federation = :read)"
        } else {
            "#federation = :read"
        };
        let condition = format!("attribute_exists(#pk) AND {id} AND {is_unchanged}");
        let change = Change { update: "SET #federation = :federation", condition: &condition };
        let values = Item::from([
            (":federation".to_owned(), serde_dynamo::to_attribute_value(federation)?),
            (":read".to_owned(), serde_dynamo::to_attribute_value(read)?),
            (":id".to_owned(), own),
        ]);
        conditional(self.change(Key::Robot(robot), change, values)).await
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{Client, operation::update_item::UpdateItemOutput, types::AttributeValue};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn federations_are_replaced_only_as_they_were_read() {
        let one = Federation {
            id: FederationId::new(Uuid::from_u128(7)),
            issuer: "https://idp.example".into(),
            subject: "s".into(),
            audiences: Vec::new(),
        };
        let id = Generation::new(Uuid::from_u128(6));
        for (read, unchanged) in [
            (vec![], "(attribute_not_exists(#federation) OR #federation = :read)"),
            (vec![one.clone()], "#federation = :read"),
        ] {
            let condition = format!("attribute_exists(#pk) AND #id = :id AND {unchanged}");
            let as_read: AttributeValue = serde_dynamo::to_attribute_value(&read).unwrap();
            let written = mock!(Client::update_item)
                .match_requests(move |request| {
                    let values = request.expression_attribute_values().unwrap();
                    request.condition_expression() == Some(condition.as_str()) && values[":read"] == as_read
                })
                .then_output(|| UpdateItemOutput::builder().build());
            let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&written]);
            let robot = "acme+ci".parse().unwrap();
            let table = Table::new(client, "table");
            table.set_robot_federation((&robot, id), &read, std::slice::from_ref(&one)).await.unwrap();
            assert_eq!(written.num_calls(), 1);
        }
    }
}
