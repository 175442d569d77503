//! What is known of the limits of external registries, and how to have it forgotten.

use moorage_domain::{
    RepositoryName,
    run::{SyncRequest, Trigger},
    status::NotEligible,
    task::Task,
    usage_log::LogKind,
};
use moorage_state::{Mirror, TransitionError};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    api::{Api, Call, now},
    http::{answer::Answer, error::ApiError},
    mirror::change as mirror,
    organization_mirror::{change as organization_mirror, list},
};

/// Forgets what is known of the limits of a mirror's registry for all accounts of its namespace: what a registry once said
/// must not outlive somebody's decision to ask it again.
pub(crate) async fn forget(api: &Api, mirror: &Mirror) -> Result<(), ApiError> {
    let config = &mirror.config;
    let registry = config.external_reference.registry();
    Ok(api.table.forget_rate_limits(&config.repository.namespace(), registry).await?)
}

/// `DELETE …/mirror/rate-limit`: as [`forget`], and a sync that waits for the registry goes on now.
pub(crate) async fn delete(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    forget(api, &mirror::find(api, repository).await?).await?;
    end_wait(api, repository).await?;
    api.log(call, repository, vec![mirror::changed("rate_limit", Value::Null)]).await;
    Ok(Answer::NoContent)
}

/// `DELETE organization/{orgname}/mirror/rate-limit`: the same for an organization's mirror and its repositories.
pub(crate) async fn delete_of_organization(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let config = organization_mirror::find(api, name).await?.config;
    let organization = config.organization;
    api.table.forget_rate_limits(&organization, config.external_registry_url.authority()).await?;
    let ended = api.table.transition_organization(&organization, |mirror| {
        mirror.state.end_wait(now(), Uuid::new_v4()).ok_or(TransitionError::NotEligible(NotEligible::NotRunning))
    });
    if is_ended(ended.await)? {
        let (organization, trigger) = (organization.clone(), Trigger::Continuation);
        api.invoker.order(&Task::Discover { organization, trigger }).await?;
    }
    // They are as few as syncs of the mirror run at once: a sync that waits keeps its turn.
    for waiting in list::all(api, &organization).await?.iter().filter(|found| found.is_waiting(now())) {
        end_wait(api, waiting.repository()).await?;
    }
    let metadata = [("updated_fields", vec!["rate_limit"].into())];
    api.log_namespace(call, &organization, LogKind::OrgMirrorConfigChanged, metadata).await;
    Ok(Answer::NoContent)
}

/// Has a sync go on that waits for its registry, if one does.
async fn end_wait(api: &Api, repository: &RepositoryName) -> Result<(), ApiError> {
    let ended = api.table.transition(repository, |mirror| {
        mirror.state.end_wait(now(), Uuid::new_v4()).ok_or(TransitionError::NotEligible(NotEligible::NotRunning))
    });
    if is_ended(ended.await)? {
        let request = SyncRequest { repository: repository.clone(), trigger: Trigger::Continuation };
        api.invoker.start(&request).await?;
    }
    Ok(())
}

/// Whether somebody waited.
fn is_ended<T>(result: Result<T, TransitionError>) -> Result<bool, ApiError> {
    match result {
        Ok(_) => Ok(true),
        Err(TransitionError::NotEligible(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
