//! Whoever lies gains nothing.

mod floods;
mod numbers;
mod origins;
mod tenants;
