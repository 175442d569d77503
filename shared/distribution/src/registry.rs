//! What every request has at hand.

use std::time::{SystemTime, UNIX_EPOCH};

use moorage_domain::Timestamp;

use crate::{access::Access, content::Content};

/// Clients, caches and settings.
pub struct Registry {
    /// What repositories hold.
    pub content: Content,
    /// Who may pull what.
    pub access: Access,
    /// The URL at which clients reach it, without a slash at the end; empty for the one that they called.
    pub public_url: String,
}

/// Now, by the wall clock: a frozen environment's monotonic clock need not move on, and what was revoked meanwhile would
/// still be taken for fresh.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
