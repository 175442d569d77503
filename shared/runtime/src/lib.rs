#![doc = include_str!("../README.md")]

mod logs;
mod metrics;

pub use logs::init;
pub use metrics::{Metric, Unit, emit};
