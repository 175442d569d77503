//! Who calls, and what they may do.

pub(crate) mod admin_token;
pub(crate) mod bound_teams;
pub(crate) mod caller;
pub(crate) mod identify;
pub(crate) mod person;
pub(crate) mod provider;
pub(crate) mod refusal;
pub(crate) mod role;
pub(crate) mod sight;
pub(crate) mod told;
