//! Runs: what syncs did, and how far a running one is.

use moorage_domain::{
    FailureReason, RepositoryName,
    failure::Failure,
    run::{Run, RunId, RunStatus},
    status::{SyncState, SyncStatus},
};
use serde_json::{Value, json};
use uuid::Uuid;

use moorage_state::now;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::warning::warning,
    repository::find::find_repository,
};

/// Runs on a page, if the caller does not say.
const DEFAULT_LIMIT: i32 = 20;

/// The most runs on a page.
const MAX_LIMIT: i32 = 100;

/// `GET …/mirror/runs`.
pub(crate) async fn list(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let limit = call.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = call.query("next_page").map(run_id);
    let after = after.map(|after| after.ok_or_else(|| ApiError::InvalidRequest("next_page is not a page".into())));
    let after = after.transpose()?;
    let state = state(api, repository).await?;
    let page = api.table.runs(repository, limit, after, now()).await?;
    if state.is_none() && page.runs.is_empty() && after.is_none() {
        return Err(ApiError::NotFound);
    }
    let mut body = json!({"runs": page.runs.iter().map(|run| view(run, state.as_ref())).collect::<Vec<_>>()});
    if let Some(next) = page.next {
        body["next_page"] = next.into();
    }
    Ok(Answer::ok(body))
}

/// `GET …/mirror/runs/{run_id}`.
pub(crate) async fn get(api: &Api, repository: &RepositoryName, run: &str) -> Result<Answer, ApiError> {
    let id = run_id(run).ok_or(ApiError::NotFound)?;
    let state = state(api, repository).await?;
    let run = api.table.run(repository, id).await?.ok_or(ApiError::NotFound)?;
    let outcomes = api.table.outcomes(repository, &run).await?;
    let mut body = view(&run, state.as_ref());
    body["tags"] = serde_json::to_value(outcomes).map_err(|error| ApiError::Unavailable(error.to_string()))?;
    Ok(Answer::ok(body))
}

/// The state of the repository's mirror, if it still has one: runs are kept beyond it, but not beyond the repository.
async fn state(api: &Api, repository: &RepositoryName) -> Result<Option<SyncState>, ApiError> {
    find_repository(api, repository).await?;
    Ok(api.table.mirror(repository).await?.map(|mirror| mirror.state))
}

fn run_id(text: &str) -> Option<RunId> {
    text.parse::<Uuid>().ok().map(RunId)
}

/// A run as it is shown. One that says it runs, but is not the mirror's current one, was cancelled a moment ago, or was
/// killed and not taken over; without a mirror it ended with that.
fn view(run: &Run, state: Option<&SyncState>) -> Value {
    let lost = run.status == RunStatus::Syncing && state.and_then(|state| state.sync_run_id) != Some(run.run_id);
    let (status, killed) = match state.map(|state| state.sync_status) {
        _ if !lost => (run.status, None),
        None | Some(SyncStatus::Cancel) => (RunStatus::Cancel, None),
        _ => {
            let message = "the sync was killed, and its run was not gone on with".to_owned();
            (RunStatus::Fail, Some(Failure::new(FailureReason::UnknownError, message)))
        }
    };
    // A registry that refuses access was not told who asks: that is what to look at first.
    let advice = |failure: &Failure| match run.warning {
        Some(warning) if failure.reason == FailureReason::AuthFailed && warning.is_about_credentials() => {
            warning.message()
        }
        _ if run.progress.tags_failed > 0 => failure.reason.advice_for_tag().to_owned(),
        _ => failure.reason.advice().to_owned(),
    };
    let failure = run.failure.as_ref().or(killed.as_ref());
    let failure =
        failure.map(|failure| json!({"reason": failure.reason, "message": failure.message, "advice": advice(failure)}));
    let counts = &run.progress;
    let mut view = json!({
        "run_id": run.run_id, "trigger": run.trigger, "status": status, "started_at": run.started_at.iso(),
        "ended_at": run.ended_at.map(moorage_domain::Timestamp::iso), "failure": failure,
        "tags_total": counts.tags_total, "tags_done": counts.tags_done, "bytes_total": counts.bytes_total,
        "bytes_done": counts.bytes_done, "bytes_copied": counts.bytes_copied, "tags_copied": counts.tags_copied,
        "tags_unchanged": counts.tags_unchanged, "tags_skipped": counts.tags_skipped, "tags_failed": counts.tags_failed,
        "tags_pruned": counts.tags_pruned, "tags_repaired": counts.tags_repaired, "invocations": run.invocations,
        "verifies": run.verifies, "waits": run.waits, "upstream": counts.upstream,
    });
    if let Some(until) = run.waiting_until {
        view["waiting_until"] = until.iso().into();
    }
    if let Some(sent) = run.warning {
        view["warning"] = warning(sent);
    }
    view
}

#[cfg(test)]
mod tests {
    use moorage_domain::{Timestamp, run::Trigger};

    use super::*;

    #[test]
    fn where_a_page_has_ended_is_still_read() {
        let ended = "00000002-0000-4000-8000-000000000000";
        assert_eq!(run_id(ended).map(|run| run.to_string()).as_deref(), Some(ended));
        assert_eq!(run_id("2"), None);
    }

    #[test]
    fn only_the_mirrors_current_run_runs() {
        let run = Run::new(RunId(Uuid::nil()), Trigger::SyncNow, Timestamp::from_unix(0), false);
        let mut state = SyncState::new(Timestamp::from_unix(0), Uuid::nil());
        state.sync_run_id = Some(run.run_id);
        assert_eq!(view(&run, Some(&state))["status"], "SYNCING");
        for (current, status, shown) in [
            (None, SyncStatus::Success, "FAIL"),
            (Some(RunId(Uuid::max())), SyncStatus::Syncing, "FAIL"),
            (None, SyncStatus::Cancel, "CANCEL"),
        ] {
            state.sync_run_id = current;
            state.sync_status = status;
            assert_eq!(view(&run, Some(&state))["status"], shown);
        }
        let ended = view(&run, None);
        assert_eq!((&ended["status"], &ended["failure"]), (&json!("CANCEL"), &Value::Null), "it went with its mirror");
    }
}
