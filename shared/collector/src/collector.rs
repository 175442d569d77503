//! The clients and the settings that a collection is done with, and how these fail.

use std::time::Duration;

use moorage_state::{StateError, Table};
use moorage_storage::{Storage, StorageError};

/// What a collector needs to know of its stack.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a blob has no link before it is deleted.
    pub grace: Duration,
}

/// Collects garbage.
#[derive(Debug, Clone)]
pub struct Collector {
    /// Repositories, sentences, and what is reported.
    pub table: Table,
    /// The bucket.
    pub storage: Storage,
    /// The stack's settings.
    pub settings: Settings,
}

/// A collection that could not go on: the next one does.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The bucket failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
