#![doc = include_str!("../README.md")]

mod address;
mod answer;
mod cause;
mod client;
mod credentials;
mod error;
mod here;
mod limits;
mod pages;
mod patience;
mod provider;
mod request;

pub use address::Address;
pub use answer::Answer;
pub use client::Client;
pub use credentials::{Credentials, TokenFuture};
pub use error::ClientError;
pub use limits::Limits;
pub use pages::{MAX_PAGES, Pages};
pub use provider::{Authorization, Claims, Endpoint, Provider, ProviderError, Refusal, Tokens, ends_within};
pub use request::{Method, Request, segment};

/// The token: never printed, wiped when dropped.
pub use moorage_domain::{ExposeSecret, SecretString};
