//! Notifications: who is told of what happens to mirrors. Quay's paths of a repository's, and the same for an organization's,
//! which are of the mirrors of all of its repositories.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod endpoints;
pub(crate) mod find;
pub(crate) mod list;
pub(crate) mod note;
