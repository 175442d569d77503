//! One invocation that is not a sync.

use std::time::{Instant, SystemTime};

use lambda_runtime::{Diagnostic, Error, LambdaEvent};
use moorage_domain::task::{Order, Task, TaskAnswer};
use moorage_engine::Engine;

use crate::handler;

/// Does what is asked for; a sync has no answer.
pub(crate) async fn handle(engine: &Engine, event: LambdaEvent<Order>) -> Result<Option<TaskAnswer>, Diagnostic> {
    let (order, context) = event.into_parts();
    match order {
        // Boxed, as the other is: neither makes room for the other.
        Order::Sync(request) => {
            Box::pin(handler::handle(engine, LambdaEvent::new(request, context))).await.map(|()| None)
        }
        Order::Task(task) => {
            let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
            Box::pin(run(engine, &task, Instant::now() + left)).await.map(Some)
        }
    }
}

async fn run(engine: &Engine, task: &Task, deadline: Instant) -> Result<TaskAnswer, Diagnostic> {
    let (name, started) = (task.as_str(), Instant::now());
    let answer = engine.task(task, deadline).await.map_err(|error| {
        tracing::error!(task = name, %error, "the task failed");
        Diagnostic { error_type: "TaskError".to_owned(), error_message: Error::from(error).to_string() }
    })?;
    let organization = task.organization();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &answer {
        TaskAnswer::Failed(failure) => {
            let (reason, error) = (failure.reason.as_str(), failure.message.as_str());
            tracing::warn!(task = name, reason, error, duration_ms, "the task failed");
        }
        TaskAnswer::Reconciled { mended, removed, failed } => {
            tracing::info!(task = name, mended, removed, failed, duration_ms, "schedules were reconciled");
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
    Ok(answer)
}
