#![doc = include_str!("../README.md")]

mod invoke;
mod list;
mod plan;
mod scheduler;

pub use invoke::Invoker;
pub use list::ListedSchedule;
pub use plan::SchedulePlan;
pub use scheduler::{SOON, Scheduler, SchedulerSettings};

/// Scheduler or Lambda refused or did not answer; the SDK's own retries are used up.
#[derive(Debug, thiserror::Error)]
#[error("{service} failed: {message}")]
pub struct ScheduleError {
    service: &'static str,
    message: String,
    is_throttled: bool,
}

impl ScheduleError {
    pub(crate) fn new(service: &'static str, error: &dyn std::error::Error) -> Self {
        Self::told(service, moorage_domain::cause::chain(error))
    }

    pub(crate) fn told(service: &'static str, message: String) -> Self {
        Self { service, message, is_throttled: false }
    }

    /// Whether the service does as much as it may at once: the same works when less goes on.
    pub fn is_throttled(&self) -> bool {
        self.is_throttled
    }
}
