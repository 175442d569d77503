//! Repositories: which there are, which are public, and who has one to themselves.

pub(crate) mod deletion;
pub(crate) mod hold;
pub(crate) mod lock;
pub(crate) mod lock_condition;
pub(crate) mod public;
pub(crate) mod public_entry;
pub(crate) mod repository;
