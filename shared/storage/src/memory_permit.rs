//! Memory: a sync holds no more of blobs than its budget, however many and however large they are.

use tokio::sync::OwnedSemaphorePermit;

use crate::{Storage, StorageError, storage::MEMORY_UNIT};

/// The right to hold some bytes in memory, until it is dropped.
#[derive(Debug)]
pub struct MemoryPermit(#[expect(dead_code, reason = "held for its drop")] Option<OwnedSemaphorePermit>);

impl Storage {
    /// Waits for the right to hold `size` bytes, first come, first served. [`StorageError::TooLarge`] if that is more than
    /// the whole budget. Whoever waits must have no other permit that only its own progress would give back: parts of
    /// one blob take theirs in the order in which they are hashed. Then somebody can always go on.
    pub async fn memory_permit(&self, size: u64) -> Result<MemoryPermit, StorageError> {
        let units = u32::try_from(size.div_ceil(MEMORY_UNIT)).ok().filter(|_| size <= self.budget);
        let units = units.ok_or(StorageError::TooLarge { size })?;
        Ok(MemoryPermit(self.memory.clone().acquire_many_owned(units).await.ok()))
    }
}
