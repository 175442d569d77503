#![doc = include_str!("../README.md")]

mod access;
mod account;
mod api;
mod endpoints;
mod external_registry;
mod http;
mod mirror;
mod organization;
mod organization_mirror;
mod repository;
mod request;
mod robot;
mod usage_log;

pub use access::auth::AdminToken;
pub use api::Api;
pub use organization::share::Shares;
pub use request::handle;
