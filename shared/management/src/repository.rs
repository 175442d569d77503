//! Repositories: themselves, their tags, and who may do what with them.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod end;
pub(crate) mod endpoints;
pub(crate) mod find;
pub(crate) mod grants;
pub(crate) mod list;
pub(crate) mod permission;
pub(crate) mod quota;
pub(crate) mod tag;
pub(crate) mod tag_change;
pub(crate) mod tag_details;
pub(crate) mod team_permission;
pub(crate) mod view;
