#![doc = include_str!("../README.md")]

mod aws;
mod azure;
mod clouds;
mod ecr;
mod error;
mod google;
mod question;
mod sign;

pub use clouds::Clouds;
pub use error::CloudError;
