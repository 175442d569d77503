//! Mirrors of repositories and of whole organizations: their configuration, their state, and what they have found.

pub(crate) mod active;
pub(crate) mod claim;
pub(crate) mod claimed;
pub(crate) mod configuration;
pub(crate) mod discovered;
pub(crate) mod discovery;
pub(crate) mod ecr;
pub(crate) mod entered;
pub(crate) mod follow;
pub(crate) mod found_by;
pub(crate) mod left;
pub(crate) mod listed;
pub(crate) mod login;
pub(crate) mod mirror;
pub(crate) mod mirrored;
pub(crate) mod of_robots;
pub(crate) mod organization_mirror;
pub(crate) mod origins;
pub(crate) mod sources;
pub(crate) mod survey;
pub(crate) mod transition;
