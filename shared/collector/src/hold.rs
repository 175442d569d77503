//! The lock that a collector has of a repository while it takes something out.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use moorage_domain::{
    RepositoryName,
    lock::{Lock, LockKind},
};
use moorage_state::{StateError, Table, now};

/// How long the repository is locked, unless that is prolonged: a collector that was killed keeps nobody out for longer.
const LOCK: Duration = Duration::from_secs(60);
/// How often it is prolonged: some times before it ends.
const RENEWAL: Duration = Duration::from_secs(15);
/// What must be left of it when something is begun: longer than any request is under way that was given up.
const MARGIN: Duration = Duration::from_secs(30);

/// A lock, and until when it is known to be one.
#[derive(Debug)]
pub(crate) struct Hold {
    repository: RepositoryName,
    lock: Lock,
    until: AtomicI64,
    /// Whether the table has the repository. Without one nobody may take its name meanwhile.
    pub(crate) is_known: bool,
}

impl Hold {
    /// Locks a repository, or a name that none has; nothing if somebody else works in it, or it is about to be purged.
    pub(crate) async fn take(table: &Table, repository: &RepositoryName) -> Result<Option<Self>, StateError> {
        let (lock, is_known) = match table.lock_repository(repository, LockKind::Prune, LOCK).await {
            Ok(lock) => (lock, true),
            Err(StateError::NotFound) => match table.lock_stray(repository, LOCK).await {
                Ok(lock) => (lock, false),
                Err(StateError::Locked) => return Ok(None),
                Err(error) => return Err(error),
            },
            Err(StateError::Locked) => return Ok(None),
            Err(error) => return Err(error),
        };
        let until = AtomicI64::new(lock.until.unix());
        Ok(Some(Self { repository: repository.clone(), lock, until, is_known }))
    }

    /// Whether something may be begun that changes the repository: by the wall clock, which also goes on while an
    /// environment is frozen.
    pub(crate) fn is_safe(&self) -> bool {
        now().plus(MARGIN).unix() < self.until.load(Ordering::Relaxed)
    }

    /// Prolongs it again and again, and returns when it cannot be any more, long before it ends. A name without a
    /// repository is only locked once: nobody waits for it, and there is little behind it.
    pub(crate) async fn keep(&self, table: &Table) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            if !self.is_known {
                continue;
            }
            let until = now().plus(LOCK);
            if let Err(error) = table.extend_lock(&self.repository, &self.lock, until).await {
                tracing::warn!(repository = %self.repository, %error, "a collector cannot keep a repository to itself");
                return;
            }
            self.until.store(until.unix(), Ordering::Relaxed);
        }
    }

    /// Gives it up.
    pub(crate) async fn give_up(self, table: &Table) -> Result<(), StateError> {
        if self.is_known {
            table.unlock_repository(&self.repository, &self.lock).await
        } else {
            table.unlock_stray(&self.repository, &self.lock).await
        }
    }
}
