//! The roles that somebody has on repositories.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::RepositoryName;
use moorage_state::Role;
use serde_json::json;

use crate::{
    api::Api,
    http::{answer::Answer, error::ApiError},
};

/// How many repositories are looked up at once.
const LOOKS: usize = 16;

/// Quay's view of the roles that somebody has on repositories.
pub(crate) async fn view(api: &Api, grants: Vec<(RepositoryName, Role)>) -> Result<Answer, ApiError> {
    let view = async |(repository, role): (RepositoryName, Role)| -> Result<_, ApiError> {
        let found = api.table.repository(&repository).await?;
        Ok(found.map(|it| {
            let repository = json!({"name": repository.name(), "is_public": it.is_public});
            json!({"repository": repository, "role": role.as_str()})
        }))
    };
    let views: Vec<_> = stream::iter(grants).map(view).buffered(LOOKS).try_collect().await?;
    Ok(Answer::ok(json!({"permissions": views.into_iter().flatten().collect::<Vec<_>>()})))
}
