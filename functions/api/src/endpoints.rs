//! The table of all endpoints: what the router and the API's description are made of.

mod mirror;
mod organization;
mod organization_mirror;
mod repository;
mod robot;
mod team;

use crate::endpoint::Endpoint;

/// All endpoints.
pub(crate) fn all() -> impl Iterator<Item = &'static Endpoint> {
    [
        mirror::ENDPOINTS,
        repository::ENDPOINTS,
        organization::ENDPOINTS,
        organization_mirror::ENDPOINTS,
        robot::ENDPOINTS,
        team::ENDPOINTS,
    ]
    .into_iter()
    .flatten()
}
