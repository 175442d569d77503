//! JSON logs in the form that Lambda's level filter understands.

use std::{
    io::{self, Stdout, Write},
    sync::atomic::{AtomicU64, Ordering},
};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Lambda's own variable for the level (its `LoggingConfig`).
const LEVEL_VARIABLE: &str = "AWS_LAMBDA_LOG_LEVEL";

/// What the names of our own crates begin with.
const OURS: &str = "moorage_";

/// What was logged so far.
static LOGGED: AtomicU64 = AtomicU64::new(0);

/// How many bytes this process has logged, metrics included: CloudWatch charges for each.
pub fn logged_bytes() -> u64 {
    LOGGED.load(Ordering::Relaxed)
}

/// The log, which counts what is written to it.
pub(crate) struct Log(Stdout);

impl Log {
    pub(crate) fn open() -> Self {
        Self(io::stdout())
    }
}

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let written = self.0.write(text)?;
        LOGGED.fetch_add(u64::try_from(written).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Starts logging: top-level `timestamp` (RFC 3339), `level` and `message`, as Lambda's level filter needs them for
/// runtimes without its own logger, and the event's fields beside them. Our own crates log at the level that
/// [`LEVEL_VARIABLE`] names (INFO if none), all others at WARN.
pub fn init() {
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let filter = Targets::new().with_default(LevelFilter::WARN).with_target(OURS, level);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .with_writer(Log::open)
        .flatten_event(true)
        .with_target(false)
        .with_current_span(true)
        .with_span_list(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
    // A panic is told with its place alone: what it says may hold what a registry or a client sent.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "the program hit a fault of its own");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_is_counted() {
        let before = logged_bytes();
        Log::open().write_all(b"nine more").unwrap();
        // Other tests may log, too.
        assert!(logged_bytes() >= before + 9);
    }
}
