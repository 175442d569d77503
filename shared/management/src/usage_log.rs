//! The usage logs.

pub(crate) mod list;
pub(crate) mod write;
