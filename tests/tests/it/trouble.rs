//! What is worse than being killed, and what is merely tedious: a function that is frozen for minutes and goes on as if
//! nothing had happened; invocations that arrive twice, or late; work that takes more invocations than one.
//!
//! Each case has a stack of its own, as those of `crash` have.

mod bounds;
mod frozen_keepers;
mod frozen_sync;
mod given_up;
mod hints;
mod scene;
mod slots;
mod turns;
mod twice;
mod unsettled;
mod withdrawn;
