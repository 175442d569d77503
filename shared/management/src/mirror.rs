//! Mirrors: a repository that follows an external one.

pub(crate) mod body;
pub(crate) mod change;
pub(crate) mod end;
pub(crate) mod endpoints;
pub(crate) mod health;
pub(crate) mod preview;
pub(crate) mod rate_limit;
pub(crate) mod runs;
pub(crate) mod schedule;
