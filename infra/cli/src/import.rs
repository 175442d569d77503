//! What other mirrors are told to do, as documents of ours.
//!
//! Each source is read at the edge, translated by pure functions, and told entry by entry: imported, changed in meaning, or
//! not possible. Nothing becomes narrower or wider in silence, and no secret is in a document or a report.

mod cron;
pub(crate) mod document;
pub(crate) mod draft;
pub(crate) mod harbor;
pub(crate) mod image_syncer;
mod input;
mod mirrors;
mod names;
pub(crate) mod options;
mod pattern;
mod platforms;
pub(crate) mod quay;
mod questions;
pub(crate) mod regsync;
pub(crate) mod renames;
mod report;
pub(crate) mod skopeo;
#[cfg(test)]
mod tests;
pub(crate) mod there;
mod times;
