#![doc = include_str!("../README.md")]

mod cancel;
mod catalog;
mod check;
mod discover;
mod end;
mod error;
mod log;
mod organizations;
#[cfg(test)]
mod played;
mod quota;
mod reconcile;
mod resume;
mod roll_back;
mod round;
mod turns;
mod watch;

pub use error::OrganizationsError;
pub use organizations::{Organizations, Settings};
pub use reconcile::Reconciled;
