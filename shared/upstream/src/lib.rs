#![doc = include_str!("../README.md")]

mod address;
mod answer;
mod auth;
mod blob;
mod catalog;
mod challenge;
mod connections;
mod documents;
mod error;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod http;
mod http_date;
mod lexer;
mod link;
mod listing;
mod meter;
mod pages;
mod part;
mod places;
mod quota;
mod rate_limit;
mod realm;
mod receiver;
mod recipe;
mod referrers;
mod registry;
mod request;
mod retry;
mod root;
mod scopes;
mod settings;
mod strings;
mod suffix;
mod tags;
mod tally;
mod tls;
mod token;
mod transport;
mod turns;

pub use blob::BlobReader;
pub use catalog::Catalog;
pub use documents::Documents;
pub use error::UpstreamError;
pub use listing::Said;
pub use meter::Meter;
pub use receiver::Receivers;
pub use referrers::Referrers;
pub use registry::{Registry, Resolved};
pub use settings::{Limits, Settings};
pub use tags::{Listing, TagPages};
