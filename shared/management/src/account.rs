//! What is about the caller and the deployment: the user, tokens, the search of names, and the API itself.

pub(crate) mod about;
pub(crate) mod capabilities;
pub(crate) mod endpoints;
pub(crate) mod entity;
pub(crate) mod token;
pub(crate) mod user;
