//! Mirrors of whole organizations.

pub(crate) mod body;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod end;
pub(crate) mod endpoints;
pub(crate) mod find;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod rate_limit;
pub(crate) mod robot;
pub(crate) mod rollback;
pub(crate) mod schedule;
pub(crate) mod secrets;
pub(crate) mod sync;
pub(crate) mod view;
