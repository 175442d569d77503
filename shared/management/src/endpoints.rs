//! The table of all endpoints: what the router and the API's description are made of.

use crate::{http::endpoint::Endpoint, mirror, organization, organization_mirror, repository, robot};

/// All endpoints.
pub(crate) fn all() -> impl Iterator<Item = &'static Endpoint> {
    [
        mirror::endpoints::ENDPOINTS,
        repository::endpoints::ENDPOINTS,
        organization::endpoints::ENDPOINTS,
        organization_mirror::endpoints::ENDPOINTS,
        robot::endpoints::ENDPOINTS,
        organization::team_endpoints::ENDPOINTS,
    ]
    .into_iter()
    .flatten()
}
