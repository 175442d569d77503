//! The gate's questions, asked: of the registry, and of what the table remembers. What is decided by the answers is
//! [`moorage_domain::gate`]'s.

pub(crate) mod admit;
pub(crate) mod ask;
pub(crate) mod facts;
pub(crate) mod keeper;
