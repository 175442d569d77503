//! The clients and the settings that a collection is done with, and how these fail.

use std::time::Duration;

use moorage_state::{StateError, Table};
use moorage_storage::{Storage, StorageError};
use tokio::sync::Semaphore;

/// Manifests that are read at once, in all repositories: each has up to 4 MiB.
const MANIFESTS_IN_FLIGHT: usize = 32;

/// What a collector needs to know of its stack.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a blob has no link before it is deleted.
    pub grace: Duration,
    /// The most digests of which is remembered at once whether they are linked, in 32 bytes each, and as much again while
    /// links are listed. Where there are more, the blobs are gone through in several parts.
    pub marks: usize,
}

/// Collects garbage.
#[derive(Debug)]
pub struct Collector {
    pub(crate) table: Table,
    pub(crate) storage: Storage,
    pub(crate) settings: Settings,
    pub(crate) manifests: Semaphore,
    /// Held by a repository with many links: one at a time.
    pub(crate) large: Semaphore,
}

impl Collector {
    /// A collector of the bucket, by the table's repositories and sentences.
    pub fn new(table: Table, storage: Storage, settings: Settings) -> Self {
        let (manifests, large) = (Semaphore::new(MANIFESTS_IN_FLIGHT), Semaphore::new(1));
        Self { table, storage, settings, manifests, large }
    }
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
