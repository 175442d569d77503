//! What the function of notifications is told: that something happened, or a message that is to be delivered.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::event::Event;
use crate::{Namespace, RepositoryName, Timestamp, run::RunId};

/// Whose a notification is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// Of this repository's mirror.
    Repository(RepositoryName),
    /// Of the mirrors of all repositories of an organization.
    Organization(Namespace),
}

/// That something happened. The function looks what it was: nothing is told by this alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// A run began.
    Started {
        /// Of which mirror.
        repository: RepositoryName,
        /// Which.
        run_id: RunId,
    },
    /// A run waits for its registry.
    Waiting {
        /// Of which mirror.
        repository: RepositoryName,
        /// Which.
        run_id: RunId,
    },
    /// A run ended.
    Ended {
        /// Of which mirror.
        repository: RepositoryName,
        /// Which.
        run_id: RunId,
    },
    /// No run has mirrored everything for a while.
    Late {
        /// Of which mirror.
        repository: RepositoryName,
    },
    /// Somebody tries a notification.
    Test {
        /// Whose it is.
        owner: Owner,
        /// Which.
        uuid: Uuid,
    },
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Whose notification it is for.
    pub owner: Owner,
    /// Which.
    pub uuid: Uuid,
    /// What receivers know it by that comes twice.
    pub id: String,
    /// What is told.
    pub event: Event,
    /// The body, before a template is filled with it.
    pub body: Value,
    /// When it was made.
    pub made: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next.
    pub due: Timestamp,
    /// Whether somebody tries the notification: then a failure counts as any other, as with Quay.
    #[serde(default)]
    pub is_test: bool,
}

impl Owner {
    /// The namespace.
    pub fn namespace(&self) -> Namespace {
        match self {
            Self::Repository(repository) => repository.namespace(),
            Self::Organization(namespace) => namespace.clone(),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(repository) => repository.fmt(f),
            Self::Organization(namespace) => namespace.fmt(f),
        }
    }
}
