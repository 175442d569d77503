#![doc = include_str!("../README.md")]

mod clock;
mod error;
mod fault;
mod organization;
mod sync;
mod tasks;
mod transfer;

pub use error::SyncError;
pub use sync::{Ended, Engine, Settings, share::Shares};
