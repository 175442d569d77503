//! How long a call waits for a repository that is locked.

use std::time::{Duration, Instant};

use moorage_state::StateError;

/// The longest wait: a garbage collection or a change of a tag holds the lock for some seconds, and API Gateway gives a call
/// 30 seconds.
const LONGEST: Duration = Duration::from_secs(10);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(300);

/// The wait of one call.
#[derive(Debug)]
pub(crate) struct LockWait(Instant);

impl LockWait {
    /// A wait that begins now.
    pub(crate) fn begin() -> Self {
        Self(Instant::now() + LONGEST)
    }

    /// Whether to try once more what had this result. It pauses first, as long as the repository is locked and the longest
    /// wait is not over.
    pub(crate) async fn again<T>(&self, result: &Result<T, StateError>) -> bool {
        let waits = matches!(result, Err(StateError::Locked)) && Instant::now() < self.0;
        if waits {
            tokio::time::sleep(PAUSE).await;
        }
        waits
    }
}
