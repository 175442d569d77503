//! Mirrors of whole organizations: finding their repositories, and having these synced a few at a time.
//!
//! Each repository that is found becomes a mirror like any other, but without a schedule: a round of its organization's
//! mirror queues it, and it is synced when it is its turn. As many turns as the stack allows are on their way; a sync that
//! ends passes its turn on. So a thousand repositories neither come upon a registry at once, nor need a function that
//! waits for them.

mod check;
mod discover;
mod end;
mod log;
mod reconcile;
mod round;
mod share;
mod turns;
