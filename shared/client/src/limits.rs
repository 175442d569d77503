//! What a call may take.

use std::time::Duration;

/// The bounds of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest answer, in bytes.
    pub answer: usize,
    /// For how long a connection may be made.
    pub connect: Duration,
    /// For how long one try may last, from the connection to the last byte.
    pub attempt: Duration,
    /// For how long a call may last, with all its tries and the pauses between them.
    pub call: Duration,
    /// How often it is sent.
    pub tries: u32,
}

impl Default for Limits {
    /// A function's answer has 6 MB at most, and API Gateway waits 30 seconds for it.
    fn default() -> Self {
        Self {
            answer: 8 << 20,
            connect: Duration::from_secs(10),
            attempt: Duration::from_secs(35),
            call: Duration::from_secs(120),
            tries: 6,
        }
    }
}
