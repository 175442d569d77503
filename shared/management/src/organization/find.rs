//! Organizations and namespaces by name.

use moorage_domain::{Generation, Namespace};
use moorage_state::{ADMIN, Organization};

use crate::{api::Api, http::error::ApiError};

/// The organization `name`, or 404.
pub(crate) async fn find_organization(api: &Api, name: &str) -> Result<Organization, ApiError> {
    let name: Namespace = name.parse().map_err(|_| ApiError::NotFound)?;
    api.table.organization(&name).await?.ok_or(ApiError::NotFound)
}

/// The namespace `name`, an organization's or the admin's own, or 404.
pub(crate) async fn find_namespace(api: &Api, name: &str) -> Result<Namespace, ApiError> {
    Ok(find_generation(api, name).await?.0)
}

/// As [`find_namespace`], with its generation: what is made in an organization belongs to that one, and to none that gets
/// the name after it.
pub(crate) async fn find_generation(api: &Api, name: &str) -> Result<(Namespace, Generation), ApiError> {
    let name: Namespace = name.parse().map_err(|_| ApiError::NotFound)?;
    if name.as_str() == ADMIN {
        return Ok((name, Generation::default()));
    }
    let found = api.table.organization(&name).await?.ok_or(ApiError::NotFound)?;
    Ok((found.name, found.id))
}
