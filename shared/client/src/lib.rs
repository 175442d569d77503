#![doc = include_str!("../README.md")]

mod address;
mod answer;
mod client;
mod error;
mod limits;
mod pages;
mod patience;
mod request;

pub use address::Address;
pub use answer::Answer;
pub use client::Client;
pub use error::ClientError;
pub use limits::Limits;
pub use pages::{MAX_PAGES, Pages};
pub use request::{Method, Request, segment};

/// The token: never printed, wiped when dropped.
pub use moorage_domain::{ExposeSecret, SecretString};
