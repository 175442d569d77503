#![doc = include_str!("../README.md")]

mod error;
mod invoke;
mod list;
mod plan;
mod scheduler;
#[cfg(test)]
mod tests;

pub use error::ScheduleError;
pub use invoke::Invoker;
pub use list::ListedSchedule;
pub use plan::SchedulePlan;
pub use scheduler::{Scheduler, SchedulerSettings};
