//! The limits of external registries, as the syncs of one namespace saw them last. What a registry tells one namespace is
//! no reason to keep another one waiting: it may have been told by anybody.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Namespace, RateLimit, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, namespace_pk, prefix, rate_limits_prefix},
    runs::account::Account,
    table::{Item, Query, conditional},
};

/// How long a limit is kept behind the moment at which it ends.
const RETENTION: Duration = Duration::from_secs(86_400);
/// How often a report is made again after losing a race. Who gives up reports again in seconds.
const MAX_RACES: u32 = 4;
/// The most limits of one namespace that are listed: there is one for each login at each of its registries.
const MAX_LISTED: i32 = 100;

/// Limits that somebody has found, by their keys.
#[derive(Debug, Default)]
pub struct KnownLimits(Vec<Item>);

/// A limit with the key that says whose it is.
#[derive(Deserialize)]
struct Listed {
    sk: String,
    #[serde(flatten)]
    limit: RateLimit,
}

/// The registry that a key names.
fn authority(sk: &str) -> Option<String> {
    Some(sk.strip_prefix(prefix::RATE_LIMIT)?.rsplit_once('#')?.0.to_owned())
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct LimitItem {
    #[serde(flatten)]
    limit: RateLimit,
    /// How often it was written.
    revision: u64,
    expires_at: Timestamp,
}

impl LimitItem {
    fn new(limit: RateLimit, revision: u64) -> Self {
        let last = [limit.blocked_until, limit.resets_at].into_iter().flatten().fold(limit.seen_at, Timestamp::max);
        Self { limit, revision, expires_at: last.plus(RETENTION) }
    }
}

impl Table {
    /// What is known of the limit of an account.
    pub async fn rate_limit(&self, account: &Account) -> Result<RateLimit, StateError> {
        let item: Option<LimitItem> = self.get(Key::RateLimit(account)).await?;
        Ok(item.unwrap_or_default().limit)
    }

    /// Adds what was seen of the limit of an account to what others have seen. Returns what is known then.
    pub async fn report_rate_limit(&self, account: &Account, seen: RateLimit) -> Result<RateLimit, StateError> {
        let mut merged = seen;
        for _ in 0..MAX_RACES {
            let known: Option<LimitItem> = self.get(Key::RateLimit(account)).await?;
            let revision = known.as_ref().map(|known| known.revision);
            let known = known.unwrap_or_default().limit;
            merged = known.merged(seen);
            if merged == known {
                return Ok(known);
            }
            let new = LimitItem::new(merged, revision.unwrap_or_default().wrapping_add(1));
            let update = self.set(Key::RateLimit(account), serde_dynamo::to_item(new)?);
            let update = match revision {
                None => update.condition_expression("attribute_not_exists(#revision)"),
                Some(before) => update
                    .condition_expression("#revision = :before")
                    .expression_attribute_values(":before", AttributeValue::N(before.to_string())),
            };
            match conditional(update).await {
                Err(StateError::Conflict) => {}
                result => return result.map(|()| merged),
            }
        }
        Ok(merged)
    }

    /// What is known of the limits of a namespace at its registries, each by the registry's host and port; of one with several
    /// logins several times.
    pub async fn rate_limits(&self, namespace: &Namespace) -> Result<Vec<(String, RateLimit)>, StateError> {
        let query = Query {
            pk: namespace_pk(namespace),
            prefix: prefix::RATE_LIMIT,
            newest_first: false,
            limit: Some(MAX_LISTED),
            after: None,
        };
        let page = self.page::<Listed>(query).await?;
        Ok(page.items.into_iter().filter_map(|Listed { sk, limit }| Some((authority(&sk)?, limit))).collect())
    }

    /// The limits that are known of all accounts of a namespace at a registry.
    pub async fn known_limits(&self, namespace: &Namespace, authority: &str) -> Result<KnownLimits, StateError> {
        let prefix = rate_limits_prefix(&authority.to_ascii_lowercase());
        Ok(KnownLimits(self.keys(&namespace_pk(namespace), &prefix).await?))
    }

    /// Forgets limits that are known.
    pub async fn forget_limits(&self, KnownLimits(known): KnownLimits) -> Result<(), StateError> {
        self.delete_many(known).await
    }

    /// Forgets what is known of the limits of all accounts of a namespace at a registry.
    pub async fn forget_rate_limits(&self, namespace: &Namespace, authority: &str) -> Result<(), StateError> {
        self.forget_limits(self.known_limits(namespace, authority).await?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_which_registry_it_is_of() {
        let account = Account::new("acme".parse().unwrap(), "Registry.example.com:5000", Some("bob"));
        assert_eq!(authority(&Key::RateLimit(&account).sk()).as_deref(), Some("registry.example.com:5000"));
        assert_eq!(authority("TAG#v1"), None);
    }

    #[test]
    fn a_limit_is_kept_until_it_has_ended() {
        let limit = RateLimit {
            seen_at: Timestamp::from_unix(10),
            resets_at: Some(Timestamp::from_unix(50)),
            blocked_until: Some(Timestamp::from_unix(20)),
            ..RateLimit::default()
        };
        let item = LimitItem::new(limit, 1);
        assert_eq!(item.expires_at, Timestamp::from_unix(50 + 86_400));
        let stored: Item = serde_dynamo::to_item(&item).unwrap();
        let read: LimitItem = serde_dynamo::from_item(stored).unwrap();
        assert_eq!((read.limit, read.revision), (limit, 1));
    }
}
