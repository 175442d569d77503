//! When a mirror starts, as far as its schedule is made from it.

use crate::{Namespace, RepositoryName, status::SyncState};

/// Whose mirror it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorOf {
    /// A repository's.
    Repository(RepositoryName),
    /// An organization's: one for all repositories of an external namespace.
    Organization(Namespace),
}

/// All that a mirror's schedule is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    /// Whose mirror it is.
    pub of: MirrorOf,
    /// Where the mirror stands, with its next start.
    pub state: SyncState,
    /// Seconds between two starts.
    pub sync_interval: u64,
    /// Whether the schedule fires.
    pub is_enabled: bool,
}
