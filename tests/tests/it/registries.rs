//! Registries and images as people have them.

mod api;
mod attached;
mod clients;
mod documents;
mod listing;
mod login;
mod real;
mod runs;
mod transfer;
