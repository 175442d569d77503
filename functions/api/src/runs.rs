//! Runs: what syncs did, and how far a running one is.

use moorage_domain::{
    RepositoryName,
    run::{Run, RunId},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    answer::Answer,
    api::{Api, Call, now},
    error::ApiError,
    mirror,
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
    mirror::find(api, repository).await?;
    let page = api.table.runs(repository, limit, after, now()).await?;
    let mut body = json!({"runs": page.runs.iter().map(view).collect::<Vec<_>>()});
    if let Some(next) = page.next {
        body["next_page"] = next.into();
    }
    Ok(Answer::ok(body))
}

/// `GET …/mirror/runs/{run_id}`.
pub(crate) async fn get(api: &Api, repository: &RepositoryName, run: &str) -> Result<Answer, ApiError> {
    let id = run_id(run).ok_or(ApiError::NotFound)?;
    let run = api.table.run(repository, id).await?.ok_or(ApiError::NotFound)?;
    let (outcomes, _) = api.table.outcomes(repository, id).await?;
    let mut body = view(&run);
    body["tags"] = serde_json::to_value(outcomes).map_err(|error| ApiError::Unavailable(error.to_string()))?;
    Ok(Answer::ok(body))
}

fn run_id(text: &str) -> Option<RunId> {
    text.parse::<Uuid>().ok().map(RunId)
}

fn view(run: &Run) -> Value {
    let failure = run.failure.as_ref().map(
        |failure| json!({"reason": failure.reason, "message": failure.message, "advice": failure.reason.advice()}),
    );
    let counts = &run.progress;
    json!({
        "run_id": run.run_id, "trigger": run.trigger, "status": run.status, "started_at": run.started_at.iso(),
        "ended_at": run.ended_at.map(moorage_domain::Timestamp::iso), "failure": failure,
        "tags_total": counts.tags_total, "tags_done": counts.tags_done, "bytes_total": counts.bytes_total,
        "bytes_done": counts.bytes_done, "bytes_copied": counts.bytes_copied, "tags_copied": counts.tags_copied,
        "tags_unchanged": counts.tags_unchanged, "tags_failed": counts.tags_failed, "tags_pruned": counts.tags_pruned, "invocations": run.invocations,
    })
}
