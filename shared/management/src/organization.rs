//! Organizations, their teams, and their shares.

pub(crate) mod change;
pub(crate) mod end;
pub(crate) mod endpoints;
pub(crate) mod find;
pub(crate) mod share;
pub(crate) mod team;
pub(crate) mod team_endpoints;
pub(crate) mod team_member;
pub(crate) mod team_sync;
pub(crate) mod view;
