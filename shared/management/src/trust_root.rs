//! Trusted roots: by whom keyless signatures are verified, in all of the deployment.

pub(crate) mod change;
pub(crate) mod endpoints;
pub(crate) mod find;
pub(crate) mod list;
