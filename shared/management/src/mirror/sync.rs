//! Syncs on demand.

use futures_util::future::join;
use moorage_domain::{
    RepositoryName,
    run::{RunId, SyncRequest, Trigger},
    status::{NotEligible, SyncState},
};
use serde_json::json;
use uuid::Uuid;

use moorage_state::{KnownLimits, Mirror, Role, TransitionError, now};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::log::changed,
};

/// What is answered to who asks for a sync that could not begin.
const NOT_MIRROR: &str = "The repository is not in the state MIRROR, and is not synced. Change its state first.";
/// What is answered to who asks to verify what is being synced.
const RUNNING: &str = "A sync of the repository runs. Verify it when that has ended, or cancel it.";

/// `POST …/mirror/sync-now`.
pub(crate) async fn sync_now(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let mirror = require_mirror_state(api, repository).await?;
    let asked = ask(api, call, mirror, |mirror| Ok(mirror.state.sync_now(now(), Uuid::new_v4())?)).await?;
    start(api, asked, Trigger::SyncNow).await?;
    api.log(call, repository, vec![changed("sync_status", "SYNC_NOW".into())]).await;
    Ok(Answer::NoContent)
}

/// Has a sync begin at once, if one may. One that runs goes on.
pub(crate) async fn begin_if_idle(api: &Api, repository: &RepositoryName, call: &Call) -> Result<(), ApiError> {
    let (found, mirror) = api.table.mirrored(repository).await?;
    let Some(mirror) = mirror.filter(|_| found.is_some_and(|found| found.state.is_mirror())) else { return Ok(()) };
    match ask(api, call, mirror, |mirror| Ok(mirror.state.sync_now(now(), Uuid::new_v4())?)).await {
        Ok(asked) => start(api, asked, Trigger::SyncNow).await,
        Err(TransitionError::NotEligible(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// `POST …/mirror/sync-cancel`.
pub(crate) async fn sync_cancel(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    api.table.transition(repository, |mirror| Ok(mirror.state.cancel(Uuid::new_v4())?)).await?;
    api.log(call, repository, vec![changed("sync_status", "SYNC_CANCEL".into())]).await;
    Ok(Answer::NoContent)
}

/// `POST …/mirror/verify`: a sync that looks at everything that the tags reference.
pub(crate) async fn verify(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let mirror = require_mirror_state(api, repository).await?;
    let run = RunId(Uuid::now_v7());
    let asked = ask(api, call, mirror, |mirror| Ok(mirror.state.verify(now(), Uuid::new_v4(), run)?)).await;
    let asked = asked.map_err(|error| match error {
        TransitionError::NotEligible(NotEligible::Running) => ApiError::NotNow(RUNNING),
        other => other.into(),
    })?;
    start(api, asked, Trigger::Verify).await?;
    api.log(call, repository, vec![changed("sync_status", "SYNC_NOW".into())]).await;
    Ok(Answer::Json(202, json!({ "run_id": run })))
}

/// A sync that was asked for.
struct Asked {
    mirror: Mirror,
    /// What is known of the registry's limit and is to be forgotten: nothing unless who asks may decide that for all of the
    /// namespace.
    limits: KnownLimits,
}

/// Moves a mirror, as it was read, to the state that `decide` gives for it.
async fn ask(
    api: &Api,
    call: &Call,
    mirror: Mirror,
    decide: impl Fn(&Mirror) -> Result<SyncState, TransitionError>,
) -> Result<Asked, TransitionError> {
    let (namespace, reference) = (mirror.config.repository.namespace(), mirror.config.external_reference.clone());
    let limits = async {
        let is_admin = call.caller.role_in(&namespace) == Some(Role::Admin);
        if is_admin {
            api.table.known_limits(&namespace, reference.registry()).await
        } else {
            Ok(KnownLimits::default())
        }
    };
    let (mirror, limits) = join(api.table.transition_from(mirror, decide), limits).await;
    Ok(Asked { mirror: mirror?, limits: limits? })
}

/// Starts what was asked for. It waits for no turn, not even if its invocation is lost: what is queued is not taken for lost.
async fn start(api: &Api, Asked { mirror, limits }: Asked, trigger: Trigger) -> Result<(), ApiError> {
    let repository = mirror.config.repository;
    api.table.forget_limits(limits).await?;
    if mirror.is_discovered {
        api.table.leave_queue(&repository).await?;
    }
    Ok(api.invoker.start(&SyncRequest { repository, trigger }).await?)
}

/// The mirror of a repository; fails if no sync of it begins at present: what was asked for would stay pending for ever.
pub(crate) async fn require_mirror_state(api: &Api, repository: &RepositoryName) -> Result<Mirror, ApiError> {
    let (found, mirror) = api.table.mirrored(repository).await?;
    let mirror = mirror.ok_or(ApiError::NotFound)?;
    let is_mirror = found.is_some_and(|found| found.state.is_mirror());
    if is_mirror { Ok(mirror) } else { Err(ApiError::NotNow(NOT_MIRROR)) }
}
