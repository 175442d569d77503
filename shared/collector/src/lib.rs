#![doc = include_str!("../README.md")]

mod collect;
mod live;
mod marks;
mod prune;
mod sweep;

pub use collect::{CollectError, Collector, Ended, Settings};
pub use marks::Marks;
