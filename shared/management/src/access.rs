//! Who calls, and what they may do.

pub(crate) mod admin_token;
pub(crate) mod caller;
pub(crate) mod identify;
pub(crate) mod role;
