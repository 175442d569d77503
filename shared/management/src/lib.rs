#![doc = include_str!("../README.md")]

mod access;
mod account;
mod api;
mod endpoints;
mod external_registry;
mod http;
mod lock_wait;
mod mirror;
mod notification;
mod organization;
mod organization_mirror;
mod people;
mod repository;
mod request;
mod robot;
mod sign_in;
mod trust_root;
mod usage_log;
mod webhook;

pub use access::admin_token::AdminToken;
pub use access::bound_teams::BoundTeams;
pub use access::provider::{Provider, ProviderError, ProviderSettings};
pub use api::{Api, ApiShares};
pub use request::{RequestContext, answer};
