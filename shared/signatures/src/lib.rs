#![doc = include_str!("../README.md")]

mod authority;
mod bundle;
mod candidate;
mod evidence;
mod failure;
mod judge;
mod key;
mod keyless;
mod proof;
mod simple;
mod statement;
#[cfg(test)]
mod tests;
mod trust;
pub mod tuf;

pub use candidate::MAX_CANDIDATE;
pub use evidence::{Evidence, MAX_CANDIDATES};
pub use judge::{Judge, judge};
pub use simple::MAX_PAYLOAD;
pub use trust::{EMBEDDED_LIFETIME, MAX_TRUST_ROOT, Trust, TrustRoot, TrustRootError, embedded, embedded_on};
