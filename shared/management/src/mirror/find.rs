//! Mirrors by their repository, and whose they are.

use moorage_domain::RepositoryName;
use moorage_state::Mirror;

use crate::{api::Api, http::error::ApiError};

/// What Quay answers where an organization's mirror decides.
pub(crate) const MANAGED: &str = "Repository mirror configuration cannot be managed";

/// The mirror of a repository, or 404.
pub(crate) async fn find_mirror(api: &Api, repository: &RepositoryName) -> Result<Mirror, ApiError> {
    api.table.mirror(repository).await?.ok_or(ApiError::NotFound)
}

/// Fails if the mirror was made by its organization's mirror, which manages it.
pub(crate) fn refuse_if_discovered(mirror: &Mirror) -> Result<(), ApiError> {
    if !mirror.is_discovered {
        return Ok(());
    }
    Err(ApiError::InvalidRequest(format!("{MANAGED} when organization-level mirroring is configured")))
}
