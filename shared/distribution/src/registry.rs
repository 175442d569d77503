//! What every request has at hand.

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
