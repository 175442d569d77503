//! Mirrors of organizations by name, and what calls they forbid.

use moorage_domain::Namespace;
use moorage_state::OrganizationMirror;

use crate::{api::Api, http::error::ApiError};

/// The mirror of an organization, or 404.
pub(crate) async fn find_organization_mirror(api: &Api, name: &str) -> Result<OrganizationMirror, ApiError> {
    let name: Namespace = name.parse().map_err(|_| ApiError::NotFound)?;
    api.table.organization_mirror(&name).await?.ok_or(ApiError::NotFound)
}

/// Fails if the namespace is an organization that has a mirror, which manages its repositories.
pub(crate) async fn refuse_if_mirrored(api: &Api, namespace: &Namespace, what: &str) -> Result<(), ApiError> {
    if api.table.organization_mirror(namespace).await?.is_none() {
        return Ok(());
    }
    Err(ApiError::InvalidRequest(format!("{what} when organization-level mirroring is configured")))
}
