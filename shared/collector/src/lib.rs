#![doc = include_str!("../README.md")]

mod clock;
mod collect;
mod collector;
mod digests;
mod facts;
mod holdings;
mod live;
mod marks;
mod prune;
mod repositories;
mod sweep;

pub use collect::Ended;
pub use collector::{CollectError, Collector, Settings};
pub use marks::Marks;
