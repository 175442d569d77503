#![doc = include_str!("../README.md")]

mod access;
mod answer;
mod cache;
mod content;
mod error;
mod registry;
mod request;
mod routes;

pub use access::{Access, originals::NodeNamespaces, people::Provider};
pub use content::{Content, alias::Alias};
pub use registry::Registry;
pub use request::{Answered, Request};
pub use routes::answer;
