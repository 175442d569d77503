//! Whose notifications a path is about, and which.

use moorage_domain::notification::{Notification, Owner};
use uuid::Uuid;

use crate::{
    api::Api,
    http::{endpoint::Arguments, error::ApiError},
    organization::find::find_organization,
    repository::find::find_repository,
};

/// The repository, or the organization, if it is there.
pub(crate) async fn owner(it: &Arguments<'_>) -> Result<Owner, ApiError> {
    if it.parameters.repository.is_some() {
        let repository = it.parameters.repository()?;
        find_repository(it.api, repository).await?;
        return Ok(Owner::Repository(repository.clone()));
    }
    let organization = find_organization(it.api, it.parameters.get("orgname")).await?;
    Ok(Owner::Organization(organization.name))
}

/// A notification of the owner's; nothing if there is none of that name.
pub(crate) async fn find(api: &Api, owner: &Owner, uuid: &str) -> Result<Option<Notification>, ApiError> {
    let Ok(uuid) = uuid.parse::<Uuid>() else { return Ok(None) };
    Ok(api.table.notification(owner, uuid).await?)
}

/// What Quay says of one that is not there, where it is to be changed.
pub(crate) fn missing(owner: &Owner, uuid: &str) -> ApiError {
    match owner {
        Owner::Repository(repository) => {
            let (namespace, name) = (repository.namespace(), repository.name());
            ApiError::InvalidRequest(format!("No repository notification found for: {namespace}, {name}, {uuid}"))
        }
        Owner::Organization(_) => ApiError::NotFound,
    }
}
