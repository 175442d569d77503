//! Mirrors: a repository that follows an external one.

pub(crate) mod body;
pub(crate) mod candidate;
pub(crate) mod change;
pub(crate) mod changes;
pub(crate) mod create;
pub(crate) mod end;
pub(crate) mod endpoints;
pub(crate) mod facts;
pub(crate) mod find;
pub(crate) mod health;
pub(crate) mod holds;
pub(crate) mod log;
pub(crate) mod overview;
pub(crate) mod pin;
pub(crate) mod policy;
pub(crate) mod preview;
pub(crate) mod rate_limit;
pub(crate) mod robot;
pub(crate) mod rollback;
pub(crate) mod runs;
pub(crate) mod schedule;
pub(crate) mod secrets;
pub(crate) mod signed;
pub(crate) mod sync;
pub(crate) mod view;
pub(crate) mod warning;
