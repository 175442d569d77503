//! Whatever is killed, at whichever of its requests to AWS, before that has an effect or after it: what comes next makes
//! everything as if nothing had happened.
//!
//! Each case has a stack of its own: a copy of the emulator, in which the functions are plain processes.

mod change;
mod collection;
mod every;
mod organization;
mod pin;
mod purge;
mod recovery;
mod rollback;
mod sync;
mod upload;
