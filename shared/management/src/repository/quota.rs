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

/// Takes back a repository that was made while others were, so that there are too many now. None of them may have been
/// used yet.
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
