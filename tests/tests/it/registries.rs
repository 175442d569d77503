//! Registries and images as people have them.

mod ahead;
mod api;
mod attached;
mod clients;
mod documents;
mod listing;
mod login;
mod narrow;
mod real;
mod runs;
mod transfer;
mod wide;
