//! A namespace's share of what the API does.

use std::time::Duration;

use moorage_domain::{
    Namespace,
    share::OverQuota,
    task::{Task, TaskAnswer},
};
use moorage_state::{Repository, Share, Slot, StateError, free_slot};

use crate::{
    api::{Api, now},
    http::error::ApiError,
    repository::end as repository_end,
};

/// How long a slot is kept for a call that does not give it up: longer than API Gateway waits for one.
const CALL: Duration = Duration::from_secs(30);
/// When a call that found no room should come again, in seconds.
const RETRY_AFTER: u64 = 5;
/// How often a slot is tried for that somebody else was faster to take.
const TRIES: u32 = 8;

/// What one namespace may take of the deployment. 0 is any number.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shares {
    /// Previews at once, and whatever else asks a registry while somebody waits.
    pub previews: u32,
    /// Repositories.
    pub repositories: u64,
}

/// Has a task done that asks a registry, if the namespace has room for another one.
pub(crate) async fn ask_registry(api: &Api, namespace: &Namespace, task: &Task) -> Result<TaskAnswer, ApiError> {
    let slot = take_slot(api, namespace).await?;
    let answer = api.invoker.ask(task).await;
    if let Some(slot) = slot
        && let Err(error) = api.table.leave_slot(namespace, Share::Previews, &slot).await
    {
        tracing::warn!(%namespace, %error, "a slot was not given up: it ends by itself");
    }
    Ok(answer?)
}

/// A slot; none if there is no limit.
async fn take_slot(api: &Api, namespace: &Namespace) -> Result<Option<Slot>, ApiError> {
    let most = api.shares.previews;
    if most == 0 {
        return Ok(None);
    }
    for _ in 0..TRIES {
        let slots = api.table.slots(namespace, Share::Previews).await?;
        let Some((number, before)) = free_slot(&slots, most, |slot| slot.until > now()) else { break };
        let slot = Slot::new(number, "", now().plus(CALL));
        match api.table.take_slot(namespace, Share::Previews, &slot, before).await {
            Ok(()) => return Ok(Some(slot)),
            Err(StateError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let message = format!("The namespace has the {most} previews at once that it may have (Previews). Try again.");
    Err(ApiError::TooMany(message, RETRY_AFTER))
}

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
        repository_end::take_back(api, &created.repository).await?;
        return Err(exceeded(most));
    }
    Ok(())
}

fn exceeded(most: u64) -> ApiError {
    ApiError::QuotaExceeded(OverQuota::Repositories(most).to_string())
}
