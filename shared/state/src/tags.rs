//! What is remembered of the tags of a repository.

pub(crate) mod gate;
pub(crate) mod referrers;
pub(crate) mod skipped;
pub(crate) mod tag;
pub(crate) mod tag_history;
pub(crate) mod tag_write;
pub(crate) mod tag_writer;
