//! Organizations and their teams.

pub(crate) mod generation;
pub(crate) mod organization;
pub(crate) mod team;
pub(crate) mod team_member;
