//! Mirrors of whole organizations.

pub(crate) mod body;
pub(crate) mod change;
pub(crate) mod endpoints;
pub(crate) mod list;
pub(crate) mod schedule;
