#![doc = include_str!("../README.md")]

mod invoke;
mod list;
mod plan;
mod scheduler;

pub use invoke::Invoker;
pub use list::ListedSchedule;
pub use plan::SchedulePlan;
pub use scheduler::{Scheduler, SchedulerSettings};

/// Scheduler or Lambda refused or did not answer; the SDK's own retries are used up.
#[derive(Debug, thiserror::Error)]
#[error("{service} failed: {message}")]
pub struct ScheduleError {
    service: &'static str,
    message: String,
}

impl ScheduleError {
    pub(crate) fn new(service: &'static str, error: &dyn std::error::Error) -> Self {
        Self { service, message: moorage_domain::cause::chain(error) }
    }
}
