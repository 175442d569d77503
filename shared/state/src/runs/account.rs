//! Who asks external registries.

use moorage_domain::Namespace;
use sha2::{Digest as _, Sha256};

/// Who asks: an identity at a registry, of one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose syncs ask.
    pub(crate) namespace: Namespace,
    /// The registry's host and port.
    pub(crate) authority: String,
    /// A hash of the user name; nothing for anonymous.
    pub(crate) identity: String,
}

impl Account {
    /// A user of a registry, or anonymous.
    pub fn new(namespace: Namespace, authority: &str, username: Option<&str>) -> Self {
        let identity = username.map(|username| hex::encode(Sha256::digest(username))).unwrap_or_default();
        Self { namespace, authority: authority.to_ascii_lowercase(), identity }
    }
}
