//! What a transaction says of a robot: that it is this one still, and how many mirrors use it.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::RobotName;

use crate::{
    StateError, access::robot::Robot, expression::Change, key::Key, organizations::generation::id_is, table::Item,
    transaction::Transaction,
};

/// Counts a mirror of a robot. The robot must be this one still.
pub(crate) fn use_robot(transaction: &mut Transaction<'_>, robot: &Robot) -> Result<(), StateError> {
    let (id, value) = id_is(robot.id)?;
    let condition = format!("attribute_exists(#pk) AND {id}");
    let change = Change { update: "ADD #mirrors :by", condition: &condition };
    let values = [(":by".to_owned(), AttributeValue::N("1".to_owned())), (":id".to_owned(), value)];
    transaction.update(Key::Robot(&robot.name), change, Item::from(values))
}

/// Counts a mirror of a robot that has it no more. It has kept the robot from being deleted.
pub(crate) fn release_robot(transaction: &mut Transaction<'_>, robot: &RobotName) -> Result<(), StateError> {
    let change = Change { update: "ADD #mirrors :by", condition: "attribute_exists(#pk)" };
    let values = Item::from([(":by".to_owned(), AttributeValue::N("-1".to_owned()))]);
    transaction.update(Key::Robot(robot), change, values)
}

/// Expects a robot to be this one still.
pub(crate) fn expect_robot(transaction: &mut Transaction<'_>, robot: &Robot) -> Result<(), StateError> {
    let (id, value) = id_is(robot.id)?;
    let values = Item::from([(":id".to_owned(), value)]);
    transaction.check(Key::Robot(&robot.name), &format!("attribute_exists(#pk) AND {id}"), values)
}
