//! One invocation: a sync, a task, or an event.

use std::time::{Instant, SystemTime};

use lambda_runtime::{Diagnostic, LambdaEvent};
use moorage_domain::task::{Order, TaskAnswer};

use crate::{config::Services, event, sync, task};

/// Does what is ordered, within the invocation's time; a sync and an event have no answer.
pub(crate) async fn handle(services: &Services, event: LambdaEvent<Order>) -> Result<Option<TaskAnswer>, Diagnostic> {
    let (order, context) = event.into_parts();
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    let deadline = Instant::now() + left;
    match order {
        // Boxed, as the other is: neither makes room for the other.
        Order::Sync(request) => Box::pin(sync::run(services, &request, deadline)).await.map(|()| None),
        Order::Task(task) => Box::pin(task::run(services, &task, deadline)).await.map(Some),
        Order::Event(event) => Box::pin(event::run(services, *event)).await.map(|()| None),
    }
}
