#![doc = include_str!("../README.md")]

mod blob;
mod error;
mod key;
mod link;
mod list;
mod manifest;
mod part;
mod presign;
mod read;
mod room;
mod storage;
mod tag;
mod upload;

pub use error::StorageError;
pub use key::{StorageKey, StorageRoot};
pub use list::TagPage;
pub use presign::Method;
pub use room::Room;
pub use storage::Storage;
pub use upload::Upload;
