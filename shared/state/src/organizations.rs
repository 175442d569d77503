//! Organizations and their teams.

pub(crate) mod generation;
pub(crate) mod organization;
pub(crate) mod team;
mod team_change;
pub(crate) mod team_member;
