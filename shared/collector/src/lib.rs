#![doc = include_str!("../README.md")]

mod collect;
mod collector;
mod live;
mod marks;
mod prune;
mod sweep;

pub use collect::Ended;
pub use collector::{CollectError, Collector, Settings};
pub use marks::Marks;
