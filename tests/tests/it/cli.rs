//! The command of operators: the real binary against the stack.

mod doctor;
mod documents;
mod import;
mod people;
mod schema;
mod syncs;
