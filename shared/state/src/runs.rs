//! Runs of syncs: how far they are, what they have learnt, and what they share with others.

pub(crate) mod account;
pub(crate) mod learnt;
pub(crate) mod rate_limit;
pub(crate) mod run;
pub(crate) mod slot;
pub(crate) mod slot_kind;
pub(crate) mod upload;
pub(crate) mod usage;
