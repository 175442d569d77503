//! What is known of the limit of a mirror's registry, and how to have it forgotten.

use moorage_domain::{
    RepositoryName,
    run::{SyncRequest, Trigger},
    status::NotEligible,
};
use moorage_state::{Mirror, Role, TransitionError, now};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::{find::find_mirror, log::changed},
};

/// Forgets what is known of the limits of a mirror's registry for all accounts of its namespace: what a registry once said
/// must not outlive somebody's decision to ask it again. As it is of all of the namespace's mirrors, it is for who is an admin
/// of all of it.
async fn forget(api: &Api, mirror: &Mirror) -> Result<(), ApiError> {
    let config = &mirror.config;
    let registry = config.external_reference.registry();
    Ok(api.table.forget_rate_limits(&config.repository.namespace(), registry).await?)
}

/// `DELETE …/mirror/rate-limit`: as [`forget`], and a sync that waits for the registry goes on now. For admins of the
/// namespace alone.
pub(crate) async fn delete(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    call.caller.require(&repository.namespace(), Role::Admin)?;
    forget(api, &find_mirror(api, repository).await?).await?;
    end_wait(api, repository).await?;
    api.log(call, repository, vec![changed("rate_limit", Value::Null)]).await;
    Ok(Answer::NoContent)
}

/// Has a sync go on that waits for its registry, if one does.
pub(crate) async fn end_wait(api: &Api, repository: &RepositoryName) -> Result<(), ApiError> {
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
pub(crate) fn is_ended<T>(result: Result<T, TransitionError>) -> Result<bool, ApiError> {
    match result {
        Ok(_) => Ok(true),
        Err(TransitionError::NotEligible(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
