#![doc = include_str!("../README.md")]

mod engine;
mod error;
mod fault;
mod gate;
mod sync;
mod tasks;
mod transfer;

pub use engine::{Engine, Settings, SyncShares};
pub use error::SyncError;
pub use sync::end::Ended;
pub use tasks::pin::PinNote;
pub use tasks::reconcile::Reconciled;
pub use tasks::watch::Watched;
