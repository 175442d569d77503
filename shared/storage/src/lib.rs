#![doc = include_str!("../README.md")]

mod blob;
mod error;
mod key;
mod link;
mod manifest;
mod part;
mod storage;
mod tag;

pub use blob::StoreError;
pub use error::StorageError;
pub use key::{StorageKey, StorageRoot};
pub use storage::Storage;
