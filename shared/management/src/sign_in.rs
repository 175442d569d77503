//! How people sign in: where the provider is, and the exchange of what it gives.

pub(crate) mod about;
pub(crate) mod endpoints;
pub(crate) mod exchange;
pub(crate) mod sources;
