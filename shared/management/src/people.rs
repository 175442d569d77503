//! People: what is shown of them, their tokens for clients that pull, and what superusers do with them.

pub(crate) mod app_token;
pub(crate) mod endpoints;
pub(crate) mod find;
pub(crate) mod superuser;
