//! Pinning runs: what one has left is kept, until that is unpinned.

use moorage_domain::{
    RepositoryName, Timestamp,
    pin::{MAX_REASON, Pin},
    run::{Run, RunId, RunStatus},
    task::{Task, TaskAnswer},
    usage_log::LogKind,
};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
    mirror::{changes, find::find_mirror},
    repository::find::find_repository,
    usage_log::write::{entry_of, object},
};

/// What is answered to who pins a run of which nobody knows yet what it leaves.
const RUNNING: &str = "The run has not come to an end. Pin it when it has.";
/// What is answered to who pins a run that went with an earlier mirror, before it had ended.
const LOST: &str = "The run ended with the mirror that it was of, and what it left is not known. It cannot be pinned.";
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
    let mirror = find_mirror(api, repository).await?;
    let run = changes::find(api, repository, run).await?;
    if run.ended_at.is_none() || run.status == RunStatus::Syncing {
        return Err(if goes_on(&run, mirror.state.sync_run_id, mirror.created) {
            ApiError::NotNow(RUNNING)
        } else {
            ApiError::Refused(LOST.to_owned())
        });
    }
    let metadata = object([("run_id", json!(run.run_id)), ("reason", reason.clone().into())]);
    let log = Some(Box::new(entry_of(call, repository, LogKind::PinRepoMirrorRun, metadata)));
    let task = Task::PinRun { repository: repository.clone(), run_id: run.run_id, reason, log };
    match api.invoker.ask(&task).await? {
        TaskAnswer::Pinned { pin, .. } => Ok(Answer::ok(view(&pin))),
        TaskAnswer::NotFound => Err(ApiError::NotFound),
        TaskAnswer::Refused(why) => Err(ApiError::Refused(why)),
        TaskAnswer::Busy => Err(ApiError::Busy),
        TaskAnswer::Unfinished => Err(ApiError::Unfinished(UNFINISHED.into())),
        TaskAnswer::Failed(failure) => Err(failure.into()),
        other => Err(ApiError::Unavailable(format!("the sync function answered {other:?}"))),
    }
}

/// Whether a run that has not ended may still do so: it is of this mirror.
fn goes_on(run: &Run, current: Option<RunId>, created: Timestamp) -> bool {
    current == Some(run.run_id) || run.started_at >= created
}

/// `DELETE …/mirror/runs/{run_id}/pin`. A run that is not pinned stays so. One that is need not be there itself.
pub(crate) async fn unpin(api: &Api, repository: &RepositoryName, run: &str, call: &Call) -> Result<Answer, ApiError> {
    let found = find_repository(api, repository).await?;
    let Some(pinned) = run.parse().ok().map(RunId).filter(|pinned| found.pins.contains(pinned)) else {
        changes::find(api, repository, run).await?;
        return Ok(Answer::NoContent);
    };
    if let Some(pin) = api.table.pin(repository, &found.pins, pinned).await? {
        let metadata = object([("run_id", json!(pin.run_id))]);
        let log = entry_of(call, repository, LogKind::UnpinRepoMirrorRun, metadata);
        api.table.unpin(repository, &pin, Some(log)).await?;
    }
    Ok(Answer::NoContent)
}

/// A pin as it is shown.
pub(crate) fn view(pin: &Pin) -> Value {
    json!({
        "since": pin.since.iso(), "reason": pin.reason, "tags": pin.tags, "unverified": pin.unverified,
    })
}

#[cfg(test)]
mod tests {
    use moorage_domain::run::Trigger;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_run_of_an_earlier_mirror_never_ends() {
        let run = Run::new(RunId(Uuid::nil()), Trigger::SyncNow, Timestamp::from_unix(100), false);
        let at = Timestamp::from_unix;
        assert!(!goes_on(&run, None, at(101)));
        assert!(!goes_on(&run, Some(RunId(Uuid::max())), at(101)));
        assert!(goes_on(&run, None, at(100)), "it was cancelled a moment ago, perhaps");
        assert!(goes_on(&run, Some(run.run_id), at(101)));
    }
}
