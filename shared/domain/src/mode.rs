//! Whether a question counts that a mirror asks of its tags.

use serde::{Deserialize, Serialize};

/// Whether a question of the gate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is not asked.
    Off,
    /// It is asked, and the run tells what it would do.
    Observe,
    /// What does not pass waits.
    Enforce,
}
