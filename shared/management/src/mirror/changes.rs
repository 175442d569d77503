//! What runs have changed.

use moorage_domain::{
    RepositoryName, changes,
    run::{Run, RunId},
};
use moorage_state::now;
use serde_json::json;
use uuid::Uuid;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    repository::find::find_repository,
};

/// The most runs between two: a day of syncs every five minutes.
const MAX_RUNS: usize = 300;
/// Runs that are read together.
const PAGE: i32 = 100;
/// The most changes that are told. Each takes up to 300 bytes, and an answer of a function may have 6 MB.
const MAX_CHANGES: usize = 10_000;

/// `GET …/mirror/runs/{run_id}/changes`: what a run has changed of what tags point to, and which of them wait at the gate;
/// with `since`, what all runs have changed after that one, up to this.
pub(crate) async fn get(api: &Api, repository: &RepositoryName, run: &str, call: &Call) -> Result<Answer, ApiError> {
    find_repository(api, repository).await?;
    let run = find(api, repository, run).await?;
    let mut runs = vec![run.clone()];
    if let Some(since) = call.query("since") {
        let since = find(api, repository, since).await?;
        if since.run_id.0 > run.run_id.0 {
            return Err(ApiError::InvalidRequest("since is a later run".into()));
        }
        runs = between(api, repository, &since, &run).await?;
    }
    let mut outcomes = Vec::new();
    for run in &runs {
        api.table.each_outcome(repository, run, |outcome| outcomes.push(outcome)).await?;
    }
    let mut all = changes::of(&outcomes);
    // What waited then may be let in since.
    if call.query("since").is_none() {
        all.extend(changes::held(&outcomes));
    }
    all.sort_by(|one, other| one.tag.cmp(&other.tag));
    let (total, first) = (all.len(), runs.first().map_or(run.run_id, |first| first.run_id));
    all.truncate(MAX_CHANGES);
    Ok(Answer::ok(json!({
        "first_run_id": first, "run_id": run.run_id, "runs": runs.len(), "changes": all,
        "truncated": total > all.len(),
    })))
}

/// The runs after one up to another, the oldest first; none between a run and itself.
async fn between(api: &Api, repository: &RepositoryName, since: &Run, run: &Run) -> Result<Vec<Run>, ApiError> {
    if since.run_id == run.run_id {
        return Ok(Vec::new());
    }
    let (mut runs, mut after) = (vec![run.clone()], Some(run.run_id));
    while let Some(last) = after {
        let page = api.table.runs(repository, PAGE, Some(last), now()).await?;
        after = page.runs.last().map(|run| run.run_id).filter(|_| page.next.is_some());
        for run in page.runs {
            if run.run_id.0 <= since.run_id.0 {
                runs.reverse();
                return Ok(runs);
            }
            runs.push(run);
        }
        if runs.len() > MAX_RUNS {
            return Err(ApiError::Refused(format!("There are more than {MAX_RUNS} runs between them.")));
        }
    }
    runs.reverse();
    Ok(runs)
}

/// The run of an id.
pub(crate) async fn find(api: &Api, repository: &RepositoryName, run: &str) -> Result<Run, ApiError> {
    let id = run.parse::<Uuid>().map(RunId).map_err(|_| ApiError::NotFound)?;
    api.table.run(repository, id).await?.ok_or(ApiError::NotFound)
}
