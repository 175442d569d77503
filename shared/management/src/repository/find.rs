//! Repositories by name.

use moorage_domain::RepositoryName;
use moorage_state::Repository;

use crate::{api::Api, http::error::ApiError};

/// The repository `name`, or 404.
pub(crate) async fn find_repository(api: &Api, name: &RepositoryName) -> Result<Repository, ApiError> {
    api.table.repository(name).await?.ok_or(ApiError::NotFound)
}
