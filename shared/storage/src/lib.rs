#![doc = include_str!("../README.md")]

mod blob;
mod counted;
mod error;
mod fenced;
mod gathered;
mod held;
mod kept;
mod key;
mod link;
mod list;
mod manifest;
mod memory_permit;
mod part;
mod presign;
mod repository;
mod rights;
mod span;
mod storage;
mod survey;
mod tag;
mod upload;
mod walk;

pub use blob::{Present, Verified};
pub use counted::RequestCounter;
pub use error::StorageError;
pub use held::HeldLink;
pub use key::{StorageKey, StorageRoot};
pub use list::TagPage;
pub use manifest::Stored;
pub use memory_permit::MemoryPermit;
pub use part::{PIECE, Piece};
pub use presign::Method;
pub use storage::{Storage, s3_config};
pub use tag::{Expected, Published, TagTarget};
pub use upload::Upload;
pub use walk::StoredBlob;
