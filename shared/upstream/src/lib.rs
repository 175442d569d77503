#![doc = include_str!("../README.md")]

mod answer;
mod auth;
mod blob;
mod catalog;
mod challenge;
mod error;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod lexer;
mod link;
mod listing;
mod meter;
mod pages;
mod rate_limit;
mod realm;
mod referrers;
mod registry;
mod request;
mod retry;
mod settings;
mod strings;
mod suffix;
mod tags;
mod transport;

pub use blob::BlobReader;
pub use catalog::Catalog;
pub use error::UpstreamError;
pub use listing::Said;
pub use meter::Meter;
pub use moorage_domain::{DigestListing, Guard, GuardError};
pub use registry::{Registry, Resolved};
pub use settings::{Credentials, Limits, Proxy, Settings};
pub use tags::{Listing, TagPages};
