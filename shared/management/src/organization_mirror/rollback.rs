//! Turning an organization's mirror back, with all of its repositories, to what they were at a moment, and resuming it.

use moorage_domain::{
    Namespace, RepositoryName,
    rollback::{OrganizationPlan, RepositoryPlan},
    run::{RunId, Trigger},
    status::NotEligible,
    target::Target,
    task::{Task, TaskAnswer},
    usage_log::LogKind,
};
use moorage_state::{OrganizationMirror, TransitionError, now};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
    mirror::rollback::{Asked, asked_of, moment, require_memory, shown},
    organization_mirror::{find::find_organization_mirror, list},
};

/// The fields. Rounds are not kept, so that there is no `run_id`.
const FIELDS: [&str; 5] = ["at", "tags", "dry_run", "pause", "resume_at"];
/// Repositories that a plan tells of, if the caller does not say.
const DEFAULT_LIMIT: i64 = 100;
/// The most repositories that a plan tells of.
const MAX_LIMIT: i64 = 1_000;
/// What is answered where something runs.
const RUNNING: &str =
    "A round of the mirror runs, or syncs of its repositories. Turn it back when they have ended, or cancel them.";
/// What is answered to who resumes a mirror whose tags are being turned back.
const TURNING: &str = "The tags are being turned back. Resume the mirror when that has ended.";

/// `POST organization/{orgname}/mirror/rollback`.
pub(crate) async fn roll_back(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let mirror = find_organization_mirror(api, name).await?;
    let organization = mirror.config.organization.clone();
    let Asked { target, dry_run, pause } = asked(api, &mirror, call)?;
    if dry_run {
        return plan(api, organization, target, call).await;
    }
    if is_any_running(api, &organization).await? {
        return Err(ApiError::NotNow(RUNNING));
    }
    let run = RunId(Uuid::now_v7());
    let asked = api.table.transition_organization(&organization, |mirror| {
        // One that is pending is not another one.
        if mirror.state.rollback.is_some() {
            return Err(NotEligible::Running.into());
        }
        Ok(mirror.state.roll_back(now(), Uuid::new_v4(), run, target.clone(), pause)?)
    });
    asked.await.map_err(|error| match error {
        TransitionError::NotEligible(NotEligible::Running) => ApiError::NotNow(RUNNING),
        other => other.into(),
    })?;
    // Before it begins: it is the only trace of who asked.
    log(api, &organization, call, ("rollback", shown(&target))).await;
    api.invoker.order(&Task::Discover { organization, trigger: Trigger::Rollback }).await?;
    Ok(Answer::Json(202, json!({ "run_id": run })))
}

/// `POST organization/{orgname}/mirror/resume`: the mirror and all of its repositories are synced again, from the mirror's
/// next start on.
pub(crate) async fn resume(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let organization = find_organization_mirror(api, name).await?.config.organization;
    match api.invoker.ask(&Task::ResumeDiscovered { organization: organization.clone() }).await? {
        TaskAnswer::Done => {}
        TaskAnswer::NotFound => return Err(ApiError::NotFound),
        TaskAnswer::Busy => return Err(ApiError::NotNow(TURNING)),
        _ => return Err(ApiError::Unfinished("Not all repositories are resumed yet. Call again to see.".into())),
    }
    log(api, &organization, call, ("pause", Value::Null)).await;
    Ok(Answer::NoContent)
}

/// Whether a round runs, or a sync of a repository, or one that is queued: it would change what is turned back.
async fn is_any_running(api: &Api, organization: &Namespace) -> Result<bool, ApiError> {
    let now = now();
    let is_running = |found: &list::Found| found.is_running(now) && !found.is_waiting(now);
    Ok(list::all(api, organization).await?.iter().any(is_running)
        || !api.table.queued_syncs(organization).await?.is_empty())
}

fn asked(api: &Api, mirror: &OrganizationMirror, call: &Call) -> Result<Asked, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    fields.refuse_others(&FIELDS)?;
    let Some(at) = fields.string("at")? else { return Err(ApiError::InvalidRequest("takes `at`".into())) };
    let at = moment("at", at)?;
    if at < mirror.created {
        let message = format!("at {} there was no mirror: no tag would be left", at.iso());
        return Err(ApiError::InvalidRequest(message));
    }
    let now = now();
    require_memory(api, at, now)?;
    asked_of(fields, &Target { at, run_id: None, tags: None, by_organization: true }, now)
}

/// What would come of it, a page of repositories.
async fn plan(api: &Api, organization: Namespace, target: Target, call: &Call) -> Result<Answer, ApiError> {
    let limit = call.number("limit")?.filter(|limit| *limit >= 1).unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let after = call.query("next_page").filter(|page| !page.is_empty());
    let after = after.map(|name| RepositoryName::new(organization.as_str(), name)).transpose();
    let after = after.map_err(|_| ApiError::InvalidRequest("Invalid next_page".into()))?;
    let limit = usize::try_from(limit).unwrap_or_default();
    let task = Task::PlanOrganizationRollback { organization, target: target.clone(), limit, after };
    match api.invoker.ask(&task).await? {
        TaskAnswer::OrganizationPlan(plan) => Ok(Answer::ok(view(&target, &plan))),
        TaskAnswer::NotFound => Err(ApiError::NotFound),
        TaskAnswer::Failed(failure) => Err(failure.into()),
        other => Err(ApiError::Unavailable(format!("the sync function answered {other:?}"))),
    }
}

fn view(target: &Target, plan: &OrganizationPlan) -> Value {
    let mut view = shown(target);
    view["repositories"] = plan.repositories.iter().map(repository_view).collect();
    if let Some(last) = plan.repositories.last().filter(|_| plan.has_more) {
        view["next_page"] = last.repository.name().into();
    }
    view
}

fn repository_view(plan: &RepositoryPlan) -> Value {
    let RepositoryPlan { repository, created, moved, deleted, missing, missing_tags, unverified, refused } = plan;
    json!({
        "name": repository.name(), "created": created, "moved": moved, "deleted": deleted, "missing": missing,
        "missing_tags": missing_tags, "unverified": unverified, "refused": refused,
    })
}

/// Adds an entry to the usage log with what somebody has asked of the mirror.
async fn log(api: &Api, organization: &Namespace, call: &Call, (what, to): (&str, Value)) {
    let metadata = [("updated_fields", vec![what].into()), (what, to)];
    api.log_namespace(call, organization, LogKind::OrgMirrorConfigChanged, metadata).await;
}
