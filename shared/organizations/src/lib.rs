#![doc = include_str!("../README.md")]

mod cancel;
mod catalog;
mod check;
mod discover;
mod end;
mod error;
mod log;
mod organizations;
mod quota;
mod reconcile;
mod round;
mod turns;
mod watch;

pub use error::OrganizationsError;
pub use organizations::{Organizations, Settings};
pub use reconcile::Reconciled;
