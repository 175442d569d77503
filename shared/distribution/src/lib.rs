//! The registry that clients pull from: the pull side of the distribution-spec v1.1.1, below `/v2/`.

mod access;
mod answer;
mod cache;
mod content;
mod error;
mod registry;
mod routes;

pub use access::Access;
pub use content::{Content, alias};
pub use registry::Registry;
pub use routes::handle;
