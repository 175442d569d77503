//! Pinning runs: what one has left is kept, until that is unpinned.

use moorage_domain::{
    RepositoryName,
    pin::{MAX_REASON, Pin},
    run::RunStatus,
    task::{Task, TaskAnswer},
    usage_log::LogKind,
};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
    mirror::{changes, find::find_mirror},
    repository::find::find_repository,
    usage_log::write::object,
};

/// What is answered to who pins a run of which nobody knows yet what it leaves.
const RUNNING: &str = "The run has not come to an end. Pin it when it has.";
/// What is answered where there is more to be read and written than in one call.
const UNFINISHED: &str = "There was no time to pin what the run has left. Try again.";

/// `PUT …/mirror/runs/{run_id}/pin`.
pub(crate) async fn pin(api: &Api, repository: &RepositoryName, run: &str, call: &Call) -> Result<Answer, ApiError> {
    let body = call.optional_object()?;
    let fields = Fields(&body);
    fields.refuse_others(&["reason"])?;
    let reason = fields.string("reason")?.filter(|reason| !reason.is_empty()).map(str::to_owned);
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > MAX_REASON) {
        return Err(ApiError::InvalidRequest(format!("reason is longer than {MAX_REASON} characters")));
    }
    find_mirror(api, repository).await?;
    let run = changes::find(api, repository, run).await?;
    if run.ended_at.is_none() || run.status == RunStatus::Syncing {
        return Err(ApiError::NotNow(RUNNING));
    }
    let task = Task::PinRun { repository: repository.clone(), run_id: run.run_id, reason };
    match api.invoker.ask(&task).await? {
        TaskAnswer::Pinned { pin, is_new } => {
            if is_new {
                let metadata = object([("run_id", json!(pin.run_id)), ("reason", pin.reason.clone().into())]);
                api.log(call, repository, vec![(LogKind::PinRepoMirrorRun, metadata)]).await;
            }
            Ok(Answer::ok(view(&pin)))
        }
        TaskAnswer::NotFound => Err(ApiError::NotFound),
        TaskAnswer::Refused(why) => Err(ApiError::Refused(why)),
        TaskAnswer::Busy => Err(ApiError::Busy),
        TaskAnswer::Unfinished => Err(ApiError::Unfinished(UNFINISHED.into())),
        TaskAnswer::Failed(failure) => Err(failure.into()),
        other => Err(ApiError::Unavailable(format!("the sync function answered {other:?}"))),
    }
}

/// `DELETE …/mirror/runs/{run_id}/pin`. A run that is not pinned stays so.
pub(crate) async fn unpin(api: &Api, repository: &RepositoryName, run: &str, call: &Call) -> Result<Answer, ApiError> {
    let found = find_repository(api, repository).await?;
    let run = changes::find(api, repository, run).await?;
    if let Some(pin) = api.table.pin(repository, &found.pins, run.run_id).await?
        && api.table.unpin(repository, &pin).await?
    {
        let metadata = object([("run_id", json!(pin.run_id))]);
        api.log(call, repository, vec![(LogKind::UnpinRepoMirrorRun, metadata)]).await;
    }
    Ok(Answer::NoContent)
}

/// A pin as it is shown.
pub(crate) fn view(pin: &Pin) -> Value {
    json!({
        "since": pin.since.iso(), "reason": pin.reason, "tags": pin.tags, "unverified": pin.unverified,
    })
}
