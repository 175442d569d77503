#![doc = include_str!("../README.md")]

mod bus;
mod deliver;
mod error;
mod happening;
mod notifier;
mod queue;
mod tell;

pub use error::NotifyError;
pub use notifier::{Notifier, Settings};
pub use queue::Queue;
