//! Pulling from our registry.

mod access;
mod balancer;
mod clients;
mod distribution;
mod load;
mod node_clients;
mod nodes;
mod rounds;
mod secrets;
mod stock;
mod tokens;
