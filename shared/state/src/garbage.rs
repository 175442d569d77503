//! What the garbage collector goes by: collections, sentences, and who has content.

pub(crate) mod collection;
pub(crate) mod possession;
pub(crate) mod recent;
pub(crate) mod sentence;
