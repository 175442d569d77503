//! Robot accounts.

pub(crate) mod change;
pub(crate) mod credentials;
pub(crate) mod endpoints;
pub(crate) mod registry;
