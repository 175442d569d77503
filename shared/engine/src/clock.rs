//! The only place that asks for the time.

pub(crate) use moorage_state::now;
