//! The time that conditions compare with.

use std::time::SystemTime;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::Timestamp;

/// Now, in whole seconds, by the wall clock: a frozen environment's monotonic clock need not move on, and what was revoked
/// meanwhile would still be taken for fresh.
pub fn now() -> Timestamp {
    SystemTime::now().into()
}

/// A moment as an attribute.
pub(crate) fn moment(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.unix().to_string())
}
