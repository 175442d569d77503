#![doc = include_str!("../README.md")]

mod algorithm;
mod budget;
mod claims;
mod discovery;
mod error;
mod exchange;
mod fetch;
mod fetch_error;
mod hosts;
mod issuer;
mod issuers;
mod key;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod tests;
mod token;
mod turns;
mod verify;

pub use claims::Claims;
pub use discovery::Endpoints;
pub use error::TokenError;
pub use exchange::{Client, ExchangeError, Exchanged, Grant};
pub use fetch_error::FetchError;
pub use issuer::{Issuer, IssuerError};
pub use issuers::{IdentityError, Issuers};
pub use key::{Keys, KeysError};
pub use token::Token;
pub use turns::Turns;
pub use verify::{Expected, verify};
