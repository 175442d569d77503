//! Webhooks of mirrors: addresses by which registries say that tags have moved.

pub(crate) mod address;
pub(crate) mod deliver;
pub(crate) mod end;
pub(crate) mod endpoints;
