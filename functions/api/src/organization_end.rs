//! The end of an organization: its repositories with their mirrors, its robots and tokens, itself.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::RepositoryName;
use moorage_state::StateError;

use crate::{answer::Answer, api::Api, error::ApiError, organization, organization_mirror, repository_end};

/// How long one call deletes: API Gateway gives up after 30 seconds.
const TIME: Duration = Duration::from_secs(20);
/// Repositories that are looked up together.
const PAGE: i32 = 100;
/// Repositories and robots that are deleted at once.
const DELETIONS: usize = 8;

/// `DELETE organization/{orgname}`. What takes longer than a call may is gone on with by the next one.
pub(crate) async fn delete(api: &Api, name: &str) -> Result<Answer, ApiError> {
    let (started, organization) = (Instant::now(), organization::find(api, name).await?);
    if let Some(mirror) = api.table.any_organization_mirror(&organization.name).await? {
        organization_mirror::end(api, &mirror).await?;
        if api.table.any_organization_mirror(&organization.name).await?.is_some() {
            return Err(ApiError::Unfinished(
                "The organization's mirror has many repositories. Call again to go on.".into(),
            ));
        }
    }
    let mut after = None;
    loop {
        let page = api.table.repositories(&organization.name, PAGE, after.as_deref()).await?;
        let names = page.repositories.into_iter().map(|it| it.repository).chain(page.deleted);
        let delete = |name: RepositoryName| async move { repository_end::delete_all(api, &name).await };
        stream::iter(names.collect::<Vec<_>>()).map(delete).buffer_unordered(DELETIONS).try_collect::<()>().await?;
        after = page.next;
        if after.is_none() {
            break;
        }
        if started.elapsed() > TIME {
            return Err(ApiError::Unfinished("The organization has many repositories. Call again to go on.".into()));
        }
    }
    let robots = api.table.robots(&organization.name).await?;
    let delete = async |robot: moorage_state::Robot| match api.table.delete_robot(&robot.name).await {
        Err(StateError::Conflict) => Err(ApiError::InvalidRequest("Robot is being used by a mirror".into())),
        result => Ok(result?),
    };
    stream::iter(robots).map(delete).buffer_unordered(DELETIONS).try_collect::<()>().await?;
    api.table.delete_api_tokens_of(&organization.name).await?;
    api.table.delete_organization(&organization.name).await?;
    Ok(Answer::NoContent)
}
