//! Repositories: which there are, which are public, and who has one to themselves.

pub(crate) mod lock;
pub(crate) mod public;
pub(crate) mod repository;
