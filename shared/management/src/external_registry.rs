//! What mirrors and robots say of external registries: where they are, the way there, and the secrets for it.

pub(crate) mod certificates;
pub(crate) mod cloud;
pub(crate) mod config;
pub(crate) mod location;
pub(crate) mod secrets;
pub(crate) mod tls;
