//! What every request has at hand.

use crate::{access::Access, content::Content};

/// Clients, caches and settings.
pub(crate) struct Registry {
    pub(crate) content: Content,
    pub(crate) access: Access,
    /// The URL at which clients reach it, without a slash at the end; empty for the one that they called.
    pub(crate) public_url: String,
}

pub(crate) use moorage_state::now;
