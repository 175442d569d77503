#![doc = include_str!("../README.md")]

mod adopt;
mod blobs;
mod budget;
mod claim;
mod clock;
mod copy;
mod end;
mod error;
mod fault;
mod once;
mod organization;
mod possession;
mod preview;
mod progress;
mod protect;
mod proxies;
mod prune;
mod publish;
mod pump;
mod purge;
mod reconcile;
mod referrers;
mod report;
mod said;
mod share;
mod source;
mod steps;
mod sync;
mod tag_set;
mod tags;
mod tasks;
mod tree;
mod upload;

pub use error::SyncError;
pub use share::Shares;
pub use sync::{Ended, Engine, Settings};
