//! One invocation that is not a sync.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use lambda_runtime::Diagnostic;
use moorage_domain::task::{Task, TaskAnswer};
use moorage_engine::PinNote;
use moorage_state::now;

use crate::{config::Services, error::TaskError, health, reconcile::reconcile};

/// The longest that a task takes when somebody waits: API Gateway gives up after 30 s.
const WAIT: Duration = Duration::from_secs(24);
/// When the rest of an organization's end is gone on with: a one-time schedule needs a moment that lies ahead.
const SOON: Duration = Duration::from_secs(5);
/// What is left of an invocation for its end.
const RESERVE: Duration = Duration::from_secs(2);

/// Does a task, until `deadline` is near, and says in one line how it ended.
pub(crate) async fn run(services: &Services, task: &Task, deadline: Instant) -> Result<TaskAnswer, Diagnostic> {
    let started = Instant::now();
    // A panic ends this task, and nothing else: what is used afterwards are clients, which stay what they are. Boxed, as it
    // holds the state of every task.
    let done = AssertUnwindSafe(Box::pin(perform(services, task, deadline))).catch_unwind().await;
    let answer = done.unwrap_or(Err(TaskError::Fault)).map_err(|error| {
        tracing::error!(task = task.as_str(), %error, "the task failed");
        Diagnostic { error_type: error.error_type().to_owned(), error_message: error.to_string() }
    })?;
    tell(task, &answer, started);
    Ok(answer)
}

async fn perform(services: &Services, task: &Task, deadline: Instant) -> Result<TaskAnswer, TaskError> {
    let Services { engine, organizations, .. } = services;
    let end = deadline.checked_sub(RESERVE).unwrap_or(deadline);
    let soon = end.min(Instant::now() + WAIT);
    Ok(match task {
        Task::Preview(request) => engine.preview(request, soon).await,
        Task::DescribeImages { repository, images } => engine.describe_images(repository, images, soon).await,
        Task::ChangeTag { repository, tag, digest, reversion } => {
            engine.change_tag(repository, tag, digest.as_ref(), *reversion).await
        }
        Task::PlanRollback { repository, target } => engine.rollback_plan(repository, target, soon).await,
        Task::PlanOrganizationRollback { organization, target, limit, after } => {
            engine.organization_plan(organization, target, (*limit, after.as_ref()), soon).await
        }
        Task::PinRun { repository, run_id, reason, log } => {
            let note = PinNote { reason: reason.as_ref(), log: log.as_deref() };
            Box::pin(engine.pin_run(repository, *run_id, note, soon)).await
        }
        Task::Purge { repository } => Box::pin(engine.purge(repository, end)).await?,
        Task::EndOrganization { organization, invocation } => {
            let end = if *invocation == 0 { soon } else { end };
            let answer = match organizations.end(organization, end).await? {
                TaskAnswer::Done => Box::pin(engine.end_organization(organization, end)).await?,
                answer => answer,
            };
            if answer == TaskAnswer::Unfinished
                && let Some(order) = Task::next_end(organization, *invocation)
            {
                // One schedule for each organization, however often it is asked for.
                engine.scheduler.end_once(organization, order, now().plus(SOON)).await?;
            }
            answer
        }
        Task::Discover { organization, trigger } => {
            Box::pin(organizations.discover(organization, *trigger, end)).await?
        }
        Task::CancelDiscovered { organization } => organizations.cancel(organization, end).await?,
        Task::ResumeDiscovered { organization } => organizations.resume(organization, soon).await?,
        Task::ReleaseDiscovered { organization } => organizations.release(organization, end).await?,
        Task::CheckSource { organization } => organizations.check(organization, soon).await?,
        Task::SetTrustRoot { id, source } => engine.set_trust_root(id, source, soon).await,
        Task::CheckRights { sample } => engine.check_rights(sample.as_ref()).await,
        Task::RefreshTrust {} => {
            let answer = Box::pin(engine.refresh_trust(end)).await?;
            if let TaskAnswer::TrustRefreshed { age_seconds, .. } = answer {
                health::trust(services, age_seconds);
            }
            answer
        }
        Task::Watch {} => {
            // What stops one look keeps nobody from the other.
            let watched = Box::pin(engine.watch(end)).await;
            let (restarted, discovered, failed) = match watched {
                Ok(watched) => (watched.restarted, watched.discovered, Ok(())),
                Err(error) => (0, Vec::new(), Err(error)),
            };
            let queued = Box::pin(organizations.watch(discovered)).await?;
            failed?;
            TaskAnswer::Watched { restarted: restarted.saturating_add(queued) }
        }
        Task::Reconcile { invocation, after } => reconcile(services, *invocation, after.as_ref(), end).await?,
    })
}

fn tell(task: &Task, answer: &TaskAnswer, started: Instant) {
    let (name, organization) = (task.as_str(), task.organization());
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match answer {
        TaskAnswer::Failed(failure) => {
            let (reason, error) = (failure.reason.as_str(), failure.logged());
            tracing::warn!(task = name, reason, error, duration_ms, "the task failed");
        }
        TaskAnswer::Reconciled { mended, removed, failed } => {
            tracing::info!(task = name, mended, removed, failed, duration_ms, "schedules were reconciled");
        }
        TaskAnswer::TrustRefreshed { refreshed, failed, age_seconds } => {
            tracing::info!(task = name, refreshed, failed, age_seconds, duration_ms, "trusted roots were refreshed");
        }
        TaskAnswer::Watched { restarted } => {
            tracing::info!(task = name, restarted, duration_ms, "what nobody worked on was started again");
        }
        TaskAnswer::Discovered { repositories, created } => {
            let organization = organization.map(tracing::field::display);
            tracing::info!(
                task = name,
                organization,
                repositories,
                created,
                duration_ms,
                "the repositories were found"
            );
        }
        TaskAnswer::Unfinished => tracing::warn!(task = name, duration_ms, "the task was not finished in time"),
        _ => tracing::info!(task = name, duration_ms, "the task is done"),
    }
}
