#![doc = include_str!("../README.md")]

mod blob;
mod error;
mod key;
mod link;
mod manifest;
mod part;
mod repository;
mod room;
mod storage;
mod tag;
mod upload;
mod walk;

pub use blob::Present;
pub use error::StorageError;
pub use key::{StorageKey, StorageRoot};
pub use manifest::Stored;
pub use room::Room;
pub use storage::Storage;
pub use upload::Upload;
pub use walk::{Links, StoredBlob};
