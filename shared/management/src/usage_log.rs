//! The usage logs.

pub(crate) mod list;
