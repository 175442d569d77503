//! Turning a mirror's tags back to what they were when a run ended, or at a moment, and resuming it.

use moorage_domain::{
    FailureReason, RepositoryName, RootRule, Timestamp,
    failure::Failure,
    pause::Pause,
    rollback::RollbackPlan,
    run::{RunId, RunStatus, SyncRequest, Trigger},
    status::NotEligible,
    target::Target,
    task::{Task, TaskAnswer},
};
use moorage_state::{TransitionError, now};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
    mirror::{changes, find::find_mirror, log::changed, sync},
    repository::find::find_repository,
};

/// The fields. Whoever means another one, as `tag`, would turn back more than is meant.
const FIELDS: [&str; 6] = ["run_id", "at", "tags", "dry_run", "pause", "resume_at"];
/// What is answered where something runs.
const RUNNING: &str = "A sync of the repository runs. Turn it back when that has ended, or cancel it.";
/// What is answered where there are more tags than can be looked through in time.
const UNPLANNED: &str = "There was no time to tell what would change. Try again, or name some tags.";
/// What is answered to who resumes a mirror whose tags are being turned back.
const TURNING: &str = "The tags are being turned back. Resume the mirror when that has ended.";

/// What a body asks for.
pub(crate) struct Asked {
    pub(crate) target: Target,
    pub(crate) dry_run: bool,
    pub(crate) pause: Option<Pause>,
}

/// `POST …/mirror/rollback`.
pub(crate) async fn roll_back(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    sync::require_mirror_state(api, repository).await?;
    let Asked { target, dry_run, pause } = asked(api, repository, &body, now()).await?;
    if dry_run {
        let task = Task::PlanRollback { repository: repository.clone(), target: target.clone() };
        return match api.invoker.ask(&task).await? {
            TaskAnswer::RollbackPlan(plan) => Ok(Answer::ok(view(&target, plan))),
            TaskAnswer::NotFound => Err(ApiError::NotFound),
            TaskAnswer::Unfinished => Err(ApiError::Unfinished(UNPLANNED.into())),
            // It was not done because it cannot be, not because something failed.
            TaskAnswer::Failed(Failure { code: None, message, reason: FailureReason::ContentGone, .. }) => {
                Err(ApiError::Refused(message))
            }
            TaskAnswer::Failed(failure) => Err(failure.into()),
            other => Err(ApiError::Unavailable(format!("the sync function answered {other:?}"))),
        };
    }
    let run = RunId(Uuid::now_v7());
    let asked = api
        .table
        .transition(repository, |mirror| {
            Ok(mirror.state.roll_back(now(), Uuid::new_v4(), run, target.clone(), pause)?)
        })
        .await;
    let asked = asked.map_err(|error| match error {
        TransitionError::NotEligible(NotEligible::Running) => ApiError::NotNow(RUNNING),
        other => other.into(),
    })?;
    // Before it begins: it is the only trace of who asked.
    api.log(call, repository, vec![changed("rollback", shown(&target))]).await;
    // It is asked for now, whatever comes: who was told of an error would ask once more, or believe that nothing happens.
    if let Err(error) = begin(api, repository, asked.is_discovered).await {
        tracing::warn!(%repository, %error, "the rollback waits for the watch to begin it");
    }
    Ok(Answer::Json(202, json!({ "run_id": run })))
}

async fn begin(api: &Api, repository: &RepositoryName, is_discovered: bool) -> Result<(), ApiError> {
    if is_discovered {
        api.table.leave_queue(repository).await?;
    }
    Ok(api.invoker.start(&SyncRequest { repository: repository.clone(), trigger: Trigger::Rollback }).await?)
}

/// `POST …/mirror/resume`: it is synced again, from its next start on.
pub(crate) async fn resume(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    if find_mirror(api, repository).await?.state.pause.is_none() {
        return Ok(Answer::NoContent);
    }
    let resumed = api.table.transition(repository, |mirror| Ok(mirror.state.resume(now(), Uuid::new_v4())?)).await;
    resumed.map_err(|error| match error {
        TransitionError::NotEligible(NotEligible::Running) => ApiError::NotNow(TURNING),
        other => other.into(),
    })?;
    api.log(call, repository, vec![changed("pause", Value::Null)]).await;
    Ok(Answer::NoContent)
}

async fn asked(
    api: &Api,
    repository: &RepositoryName,
    body: &Map<String, Value>,
    now: Timestamp,
) -> Result<Asked, ApiError> {
    let invalid = |message: String| Err(ApiError::InvalidRequest(message));
    let fields = Fields(body);
    fields.refuse_others(&FIELDS)?;
    let mut is_pinned = false;
    let (at, run_id) = match (fields.string("at")?, fields.string("run_id")?) {
        (Some(text), None) => (moment("at", text)?, None),
        (None, Some(text)) => {
            let run = changes::find(api, repository, text).await?;
            let Some(ended) = run.ended_at.filter(|_| run.status != RunStatus::Syncing) else {
                return invalid("run_id: the run has not come to an end; name a moment by `at`".into());
            };
            let pins = find_repository(api, repository).await?.pins;
            is_pinned = pins.contains(&run.run_id);
            (ended, Some(run.run_id))
        }
        _ => return invalid("takes `run_id` or `at`, one of them".into()),
    };
    if !is_pinned {
        require_memory(api, at, now)?;
    }
    asked_of(fields, &Target { at, run_id, tags: None, by_organization: false }, now)
}

/// Fails if what tags were at a moment is not remembered any more.
pub(crate) fn require_memory(api: &Api, at: Timestamp, now: Timestamp) -> Result<(), ApiError> {
    if at.plus(api.tag_retention) > now {
        return Ok(());
    }
    let days = api.tag_retention.as_secs() / 86_400;
    let message = format!("what tags were at {} is not remembered any more: that is for {days} days", at.iso());
    Err(ApiError::InvalidRequest(message))
}

/// What a body asks for that means this moment.
pub(crate) fn asked_of(fields: Fields<'_>, to: &Target, now: Timestamp) -> Result<Asked, ApiError> {
    let invalid = |message: String| Err(ApiError::InvalidRequest(message));
    if to.at > now {
        return invalid("at lies ahead".into());
    }
    let tags = fields.strings("tags")?.map(RootRule::new).transpose();
    let tags = tags.map_err(|error| ApiError::InvalidRequest(format!("tags: {error}")))?;
    let until = fields.string("resume_at")?.map(|text| moment("resume_at", text)).transpose()?;
    let is_paused = fields.boolean("pause")?.unwrap_or(true);
    if until.is_some_and(|until| until <= now) || (until.is_some() && !is_paused) {
        return invalid("resume_at has to lie ahead, and takes a pause".into());
    }
    let pause = is_paused.then_some(Pause { since: now, until });
    Ok(Asked { target: Target { tags, ..to.clone() }, dry_run: fields.boolean("dry_run")?.unwrap_or(false), pause })
}

/// A moment of a body.
pub(crate) fn moment(name: &str, text: &str) -> Result<Timestamp, ApiError> {
    Timestamp::parse_iso(text).ok_or_else(|| ApiError::InvalidRequest(format!("{name} is no time in ISO 8601")))
}

/// A target as it is shown.
pub(crate) fn shown(target: &Target) -> Value {
    let mut view = json!({"at": target.at.iso()});
    if let Some(run) = target.run_id {
        view["run_id"] = json!(run);
    }
    if let Some(tags) = &target.tags {
        view["tags"] = tags.patterns().to_vec().into();
    }
    if target.by_organization {
        view["by_organization"] = true.into();
    }
    view
}

fn view(target: &Target, plan: RollbackPlan) -> Value {
    let RollbackPlan { total, changes, missing, unverified } = plan;
    let mut view = shown(target);
    view["total"] = total.into();
    view["truncated"] = (total > changes.len() as u64).into();
    view["changes"] = json!(changes);
    view["missing"] = json!(missing);
    view["unverified"] = unverified.into();
    view
}

/// A pause as it is shown.
pub(crate) fn pause_view(pause: Pause) -> Value {
    json!({"since": pause.since.iso(), "until": pause.until.map(Timestamp::iso)})
}
