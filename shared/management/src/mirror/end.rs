//! The end of a mirror: its repository becomes an ordinary one, and keeps its images.

use std::time::Duration;

use moorage_domain::{RepositoryName, usage_log::LogKind};
use moorage_state::{Race, StateError};
use tokio::time::timeout;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    lock_wait::LockWait,
    mirror::find::{find_mirror, refuse_if_discovered},
    usage_log::write::object,
    webhook,
};

/// How long a caller waits for what is left of pins to go.
const SETTLING: Duration = Duration::from_secs(5);

/// `DELETE …/mirror`.
pub(crate) async fn delete(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let (wait, mut race) = (LockWait::begin(), Race::begin());
    loop {
        let mirror = find_mirror(api, repository).await?;
        refuse_if_discovered(&mirror)?;
        let webhook = webhook::end::read(api, repository).await;
        let deleted = api.table.delete_mirror(&mirror).await;
        if wait.again(&deleted).await {
            continue;
        }
        match deleted {
            Ok(()) => {}
            Err(StateError::Conflict) => {
                race.lost().await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        // A schedule that stays finds no mirror, and is removed with the next reconciliation.
        if let Err(error) = api.scheduler.remove(repository).await {
            tracing::warn!(%repository, %error, "a schedule was not removed yet");
        }
        webhook::end::forget(api, repository, webhook).await;
        let metadata = object([("changed", "mirror".into()), ("to", serde_json::Value::Null)]);
        api.log(call, repository, vec![(LogKind::RepoMirrorConfigChanged, metadata)]).await;
        // They are no pins any more; what is left of them is settled by whoever comes next, and each day.
        match timeout(SETTLING, api.table.settle_pins(repository)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%repository, %error, "what was pinned was not forgotten yet"),
            Err(_) => tracing::info!(%repository, "there was no time to forget what was pinned"),
        }
        return Ok(Answer::NoContent);
    }
}
