//! A namespace's share of repositories.

use moorage_domain::{Namespace, share::OverQuota};
use moorage_state::Repository;

use crate::{api::Api, http::error::ApiError, repository::end};

/// Fails if a namespace has all the repositories that it may have.
pub(crate) async fn check_repositories(api: &Api, namespace: &Namespace) -> Result<(), ApiError> {
    let most = api.shares.repositories;
    if most > 0 && api.table.count_repositories(namespace).await? >= most {
        return Err(exceeded(most));
    }
    Ok(())
}

/// Deletes a new repository again if others that were made at the same time make it one too many. It cannot have been used
/// yet.
pub(crate) async fn check_created(api: &Api, created: &Repository) -> Result<(), ApiError> {
    let most = api.shares.repositories;
    if most > 0 && api.table.count_repositories(&created.repository.namespace()).await? > most {
        end::take_back(api, &created.repository).await?;
        return Err(exceeded(most));
    }
    Ok(())
}

fn exceeded(most: u64) -> ApiError {
    ApiError::QuotaExceeded(OverQuota::Repositories(most).to_string())
}
