//! Runs: what syncs did, and how far a running one is.

use std::collections::BTreeSet;

use moorage_domain::{
    FailureReason, Remedy, RepositoryName, Timestamp,
    failure::Failure,
    pin::Pin,
    rate_limit::Left,
    run::{Run, RunId, RunStatus, TagOutcome},
    status::{SyncState, SyncStatus},
};
use serde_json::{Value, json};
use uuid::Uuid;

use moorage_state::now;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::{
        cost,
        holds::judgement,
        pin, rollback,
        signed::signed,
        warning::{GOES_ON, INTERRUPTED, warning},
    },
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
    let (state, pins) = state(api, repository).await?;
    let page = api.table.runs(repository, limit, after, now()).await?;
    if state.is_none() && page.runs.is_empty() && after.is_none() {
        return Err(ApiError::NotFound);
    }
    let pins = api.table.pins(repository, &pins).await?;
    let view = |run: &Run| {
        let pin = pins.iter().find(|pin| pin.run_id == run.run_id);
        view(run, state.as_ref(), pin, now())
    };
    let mut body = json!({"runs": page.runs.iter().map(view).collect::<Vec<_>>()});
    if let Some(next) = page.next {
        body["next_page"] = next.into();
    }
    Ok(Answer::ok(body))
}

/// `GET …/mirror/runs/{run_id}`.
pub(crate) async fn get(api: &Api, repository: &RepositoryName, run: &str) -> Result<Answer, ApiError> {
    let id = run_id(run).ok_or(ApiError::NotFound)?;
    let (state, pins) = state(api, repository).await?;
    let run = api.table.run(repository, id).await?.ok_or(ApiError::NotFound)?;
    let outcomes = api.table.outcomes(repository, &run).await?;
    let pin = api.table.pin(repository, &pins, id).await?;
    let mut body = view(&run, state.as_ref(), pin.as_ref(), now());
    body["tags"] = outcomes.iter().map(outcome).collect::<Result<Vec<_>, _>>()?.into();
    Ok(Answer::ok(body))
}

/// What became of a tag; if it failed, with what can be done about it.
fn outcome(tag: &TagOutcome) -> Result<Value, ApiError> {
    let mut view = serde_json::to_value(tag).map_err(|error| ApiError::Unavailable(error.to_string()))?;
    if let Some(said) = &tag.gate {
        view["gate"] = judgement(said);
    }
    if !tag.signed.is_empty() {
        view["signed"] = signed(&tag.signed);
    }
    if let Some(failure) = &tag.failure {
        view["failure"]["advice"] = failure.reason.advice_for_tag().into();
    }
    Ok(view)
}

/// The state of the repository's mirror, if it still has one, and which runs are pinned. Runs are kept beyond the mirror, but not
/// beyond the repository.
async fn state(api: &Api, repository: &RepositoryName) -> Result<(Option<SyncState>, BTreeSet<RunId>), ApiError> {
    let pins = find_repository(api, repository).await?.pins;
    Ok((api.table.mirror(repository).await?.map(|mirror| mirror.state), pins))
}

fn run_id(text: &str) -> Option<RunId> {
    text.parse::<Uuid>().ok().map(RunId)
}

/// A run as it is shown. One that says it runs, but is not the mirror's current one, was cancelled a moment ago, or was
/// killed and not taken over; without a mirror it ended with that. The current one was interrupted if its claim has expired.
fn view(run: &Run, state: Option<&SyncState>, pin: Option<&Pin>, now: Timestamp) -> Value {
    let is_current = state.and_then(|state| state.sync_run_id) == Some(run.run_id);
    let failed = |message: &str| (RunStatus::Fail, Some(Failure::new(FailureReason::UnknownError, message.to_owned())));
    let (status, killed) = match state {
        _ if run.status != RunStatus::Syncing => (run.status, None),
        Some(state) if is_current && state.is_interrupted(now) => failed(INTERRUPTED),
        Some(_) if is_current => (run.status, None),
        None => (RunStatus::Cancel, None),
        Some(state) if state.sync_status == SyncStatus::Cancel => (RunStatus::Cancel, None),
        Some(_) => failed("the sync was killed, and its run was not gone on with"),
    };
    let advice = |failure: &Failure| match &killed {
        Some(_) if is_current => GOES_ON.to_owned(),
        _ => Remedy::new(failure.reason, run.progress.tags_failed, run.warning).advice(),
    };
    let failure = run.failure.as_ref().or(killed.as_ref());
    let failure =
        failure.map(|failure| json!({"reason": failure.reason, "message": failure.message, "advice": advice(failure)}));
    let counts = &run.progress;
    let mut view = json!({
        "run_id": run.run_id, "trigger": run.trigger, "status": status, "started_at": run.started_at.iso(),
        "ended_at": run.ended_at.map(Timestamp::iso), "failure": failure,
        "tags_total": counts.tags_total, "tags_done": counts.tags_done, "bytes_total": counts.bytes_total,
        "bytes_done": counts.bytes_done, "bytes_copied": counts.bytes_copied, "tags_copied": counts.tags_copied,
        "tags_unchanged": counts.tags_unchanged, "tags_skipped": counts.tags_skipped, "tags_failed": counts.tags_failed,
        "tags_pruned": counts.tags_pruned, "tags_held": counts.tags_held, "tags_repaired": counts.tags_repaired, "invocations": run.invocations,
        "verifies": run.verifies, "waits": run.waits, "upstream": counts.upstream,
    });
    if let Some((usage, cost)) = cost::of_run(run) {
        view["usage"] = usage;
        view["cost"] = cost;
    }
    if let Some(Left { remaining, limit, window_seconds, at }) = run.rate_limit {
        view["rate_limit"] =
            json!({"remaining": remaining, "limit": limit, "window_seconds": window_seconds, "at": at.iso()});
    }
    if let Some(target) = &run.rollback {
        view["rollback"] = rollback::shown(target);
    }
    if let Some(pin) = pin {
        view["pinned"] = pin::view(pin);
    }
    if let Some(until) = run.waiting_until {
        view["waiting_until"] = until.iso().into();
    }
    if let Some(hinted) = &run.hinted {
        view["hinted"] = json!(hinted);
    }
    if let Some(sent) = run.warning {
        view["warning"] = warning(sent);
    }
    view
}

#[cfg(test)]
mod tests {
    use moorage_domain::run::{Outcome, Trigger};

    use super::*;

    #[test]
    fn where_a_page_has_ended_is_still_read() {
        let ended = "00000002-0000-4000-8000-000000000000";
        assert_eq!(run_id(ended).map(|run| run.to_string()).as_deref(), Some(ended));
        assert_eq!(run_id("2"), None);
    }

    #[test]
    fn a_tag_that_failed_says_what_to_do() {
        let failure = Failure::new(FailureReason::ContentRefused, "too old".to_owned());
        let mut tag = TagOutcome::new("v1".parse().unwrap(), Outcome::Refused);
        tag.failure = Some(failure);
        let advice = FailureReason::ContentRefused.advice_for_tag();
        let said = json!({"reason": "content_refused", "message": "too old", "advice": advice});
        assert_eq!(outcome(&tag).unwrap()["failure"], said);
        tag.failure = None;
        assert_eq!(outcome(&tag).unwrap(), json!({"tag": "v1", "outcome": "refused"}));
    }

    #[test]
    fn only_the_mirrors_current_run_runs() {
        let at = Timestamp::from_unix;
        let run = Run::new(RunId(Uuid::nil()), Trigger::SyncNow, at(0), false);
        let mut state = SyncState::new(at(0), Uuid::nil());
        state.sync_run_id = Some(run.run_id);
        state.sync_status = SyncStatus::Syncing;
        state.sync_expiration_date = Some(at(100));
        assert_eq!(view(&run, Some(&state), None, at(99))["status"], "SYNCING");
        let interrupted = view(&run, Some(&state), None, at(100));
        assert_eq!((&interrupted["status"], &interrupted["failure"]["message"]), (&json!("FAIL"), &json!(INTERRUPTED)));
        assert_eq!(interrupted["failure"]["advice"], GOES_ON);
        assert_eq!(view(&run, Some(&state.hand_over(at(100), Uuid::nil())), None, at(101))["status"], "SYNCING");
        for (current, status, shown) in [
            (None, SyncStatus::Success, "FAIL"),
            (Some(RunId(Uuid::max())), SyncStatus::Syncing, "FAIL"),
            (None, SyncStatus::Cancel, "CANCEL"),
        ] {
            state.sync_run_id = current;
            state.sync_status = status;
            assert_eq!(view(&run, Some(&state), None, at(0))["status"], shown);
        }
        let ended = view(&run, None, None, at(0));
        assert_eq!((&ended["status"], &ended["failure"]), (&json!("CANCEL"), &Value::Null), "it went with its mirror");
    }
}
