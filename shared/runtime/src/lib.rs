#![doc = include_str!("../README.md")]

mod aws;
mod environment;
mod logs;
mod metrics;
mod rights;
mod stack_secret;

pub use aws::aws;
pub use environment::{Environment, SettingError};
pub use logs::{init, logged_bytes};
pub use metrics::{Metric, Unit, emit};
pub use rights::try_right;
pub use stack_secret::{StackSecret, StackSecretError};
