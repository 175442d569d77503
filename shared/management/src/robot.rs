//! Robot accounts.

pub(crate) mod change;
pub(crate) mod credentials;
pub(crate) mod endpoints;
pub(crate) mod exchange;
pub(crate) mod federation;
pub(crate) mod find;
pub(crate) mod registry;
pub(crate) mod view;
