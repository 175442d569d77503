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

impl MirrorOf {
    /// The mirror of whatever has this name: a repository's has a slash in it, an organization's has none.
    pub fn named(name: &str) -> Option<Self> {
        let repository = name.parse().ok().map(Self::Repository);
        repository.or_else(|| name.parse().ok().map(Self::Organization))
    }

    /// The name of the repository, or of the organization.
    pub fn name(&self) -> &str {
        match self {
            Self::Repository(repository) => repository.as_str(),
            Self::Organization(organization) => organization.as_str(),
        }
    }

    /// The repository, if it is a repository's.
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Repository(repository) => Some(repository),
            Self::Organization(_) => None,
        }
    }
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
