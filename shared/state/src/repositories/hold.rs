//! The lock of a repository while somebody takes something out of it, prolonged as long as that takes.

use std::time::Duration;

use moorage_domain::{
    Fence, RepositoryName,
    lock::{Lock, LockKind},
};

use crate::{StateError, Table, now};

/// How long the repository is locked, unless that is prolonged: who was killed keeps nobody out for longer.
const LOCK: Duration = Duration::from_secs(60);
/// How often it is prolonged: some times before it ends.
const RENEWAL: Duration = Duration::from_secs(15);
/// How long before its end nothing is begun any more, nor tried again: longer than any request is under way that was given
/// up, and than S3 leaves a connection open that does not say anything.
const REST: Duration = Duration::from_secs(30);

/// A lock, and until when it is known to be one.
#[derive(Debug)]
pub struct Hold {
    repository: RepositoryName,
    lock: Lock,
    fence: Fence,
    is_known: bool,
}

impl Hold {
    /// Locks a repository, as [`Table::lock_repository`].
    pub async fn of(table: &Table, repository: &RepositoryName, kind: LockKind) -> Result<Self, StateError> {
        let lock = table.lock_repository(repository, kind, LOCK).await?;
        Ok(Self::new(repository, lock, true))
    }

    /// Locks a name that no repository has, as [`Table::lock_stray`].
    pub async fn of_stray(table: &Table, repository: &RepositoryName) -> Result<Self, StateError> {
        let lock = table.lock_stray(repository, LOCK).await?;
        Ok(Self::new(repository, lock, false))
    }

    fn new(repository: &RepositoryName, lock: Lock, is_known: bool) -> Self {
        Self { repository: repository.clone(), fence: Fence::until(lock.until.minus(REST)), lock, is_known }
    }

    /// The lock.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Whether the table has the repository. Without one nobody may take its name meanwhile.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// Until when something may be begun that changes the repository, by the wall clock, which also goes on while an
    /// environment is frozen.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Prolongs it again and again, and returns why it cannot be any more, long before it ends. A name without a repository is
    /// only locked once: nobody waits for it, and there is little behind it.
    pub async fn keep(&self, table: &Table) -> StateError {
        loop {
            tokio::time::sleep(RENEWAL).await;
            if !self.is_known {
                continue;
            }
            let until = now().plus(LOCK);
            if let Err(error) = table.extend_lock(&self.repository, &self.lock, until).await {
                return error;
            }
            self.fence.put_off(until.minus(REST));
        }
    }

    /// Gives it up.
    pub async fn give_up(self, table: &Table) -> Result<(), StateError> {
        if self.is_known {
            table.unlock_repository(&self.repository, &self.lock).await
        } else {
            table.unlock_stray(&self.repository, &self.lock).await
        }
    }
}
