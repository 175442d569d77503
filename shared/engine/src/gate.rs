//! The gate's questions, asked: of the registry, and of what the table remembers. What is decided by the answers is
//! [`moorage_domain::gate`]'s.

pub(crate) mod admit;
pub(crate) mod approve;
pub(crate) mod ask;
pub(crate) mod evidence;
pub(crate) mod facts;
pub(crate) mod keeper;
pub(crate) mod trust;
