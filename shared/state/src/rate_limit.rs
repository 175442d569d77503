//! The limits of external registries, as the syncs saw them last: shared by all that use one identity.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{RateLimit, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{StateError, Table, key::Key, table::conditional};

/// How long a limit is kept behind the moment at which it ends.
const RETENTION: Duration = Duration::from_secs(86_400);

/// Who asks: an identity at a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The registry's host and port.
    pub(crate) authority: String,
    /// A hash of the user name; nothing for anonymous.
    pub(crate) identity: String,
}

impl Account {
    /// A user of a registry, or anonymous.
    pub fn new(authority: &str, username: Option<&str>) -> Self {
        let identity = username.map(|username| hex::encode(Sha256::digest(username))).unwrap_or_default();
        Self { authority: authority.to_ascii_lowercase(), identity }
    }
}

impl Table {
    /// What is known of the limit of an account.
    pub async fn rate_limit(&self, account: &Account) -> Result<RateLimit, StateError> {
        Ok(self.get(Key::RateLimit(account)).await?.unwrap_or_default())
    }

    /// Adds what was seen of the limit of an account. What somebody else saw later, and longer waits, stay.
    pub async fn report_rate_limit(&self, account: &Account, limit: RateLimit) -> Result<(), StateError> {
        let number = |timestamp: Timestamp| AttributeValue::N(timestamp.unix().to_string());
        if let Some(remaining) = limit.remaining {
            let resets_at = limit.resets_at.map_or(AttributeValue::Null(true), number);
            let expires_at = number(limit.resets_at.unwrap_or(limit.seen_at).plus(RETENTION));
            let update = self.update(Key::RateLimit(account));
            let update = update
                .update_expression(
                    "SET seen_at = :seen, remaining = :remaining, resets_at = :resets, expires_at = :expires",
                )
                .condition_expression("attribute_not_exists(seen_at) OR seen_at <= :seen")
                .expression_attribute_values(":seen", number(limit.seen_at))
                .expression_attribute_values(":remaining", AttributeValue::N(remaining.to_string()))
                .expression_attribute_values(":resets", resets_at)
                .expression_attribute_values(":expires", expires_at);
            ignore_conflict(conditional(update).await)?;
        }
        if let Some(until) = limit.blocked_until {
            let update = self.update(Key::RateLimit(account));
            let update = update
                .update_expression("SET blocked_until = :until, expires_at = :expires")
                .condition_expression("attribute_not_exists(blocked_until) OR blocked_until < :until")
                .expression_attribute_values(":until", number(until))
                .expression_attribute_values(":expires", number(until.plus(RETENTION)));
            ignore_conflict(conditional(update).await)?;
        }
        Ok(())
    }
}

fn ignore_conflict(result: Result<(), StateError>) -> Result<(), StateError> {
    match result {
        Err(StateError::Conflict) => Ok(()),
        result => result,
    }
}
