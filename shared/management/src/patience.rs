//! How long a call waits for others.

use std::time::{Duration, Instant};

use moorage_state::StateError;

/// How long a call waits for whoever has a repository to themselves: a collector or a change of a tag, for some seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(300);

/// The patience of one call.
#[derive(Debug)]
pub(crate) struct Patience(Instant);

impl Patience {
    /// From now on.
    pub(crate) fn begin() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    /// Whether to try again what came out so: after a pause, while the repository is locked.
    pub(crate) async fn again<T>(&self, result: &Result<T, StateError>) -> bool {
        let waits = matches!(result, Err(StateError::Locked)) && Instant::now() < self.0;
        if waits {
            tokio::time::sleep(PAUSE).await;
        }
        waits
    }
}
