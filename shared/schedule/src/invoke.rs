//! Invocations of the sync function: syncs that start now, and tasks.

use std::time::Duration;

use aws_sdk_lambda::{Client, config::timeout::TimeoutConfig, primitives::Blob, types::InvocationType};
use moorage_domain::{
    collection::CollectRequest,
    notification::Notice,
    run::SyncRequest,
    task::{Task, TaskAnswer},
};
use serde_json::Value;

use crate::{ScheduleError, error::LAMBDA};

/// How long the answer to a task is waited for. Tasks end themselves before that, and API Gateway waits 30 s.
const TASK_TIMEOUT: Duration = Duration::from_secs(27);

/// The most characters that are kept of what a function says of its failure.
const MESSAGE_LENGTH: usize = 1_000;

/// Invokes a function: the sync function, the collector's, or that of notifications.
#[derive(Debug, Clone)]
pub struct Invoker {
    client: Client,
    function_arn: String,
}

impl Invoker {
    /// Of the function `function_arn`.
    pub fn new(client: Client, function_arn: impl Into<String>) -> Self {
        Self { client, function_arn: function_arn.into() }
    }

    /// Queues a sync; Lambda starts it in about a second.
    pub async fn start(&self, request: &SyncRequest) -> Result<(), ScheduleError> {
        self.queue(serde_json::to_vec(request)).await
    }

    /// Queues a task whose answer nobody waits for.
    pub async fn order(&self, task: &Task) -> Result<(), ScheduleError> {
        self.queue(serde_json::to_vec(task)).await
    }

    /// Queues that something has happened, of which somebody may be told.
    pub async fn tell(&self, notice: &Notice) -> Result<(), ScheduleError> {
        self.queue(serde_json::to_vec(notice)).await
    }

    /// Queues the rest of a garbage collection.
    pub async fn collect(&self, request: CollectRequest) -> Result<(), ScheduleError> {
        self.queue(serde_json::to_vec(&request)).await
    }

    /// Has a task done, and waits for what comes of it.
    pub async fn ask(&self, task: &Task) -> Result<TaskAnswer, ScheduleError> {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(TASK_TIMEOUT).operation_timeout(TASK_TIMEOUT);
        let waiting = aws_sdk_lambda::config::Builder::new().timeout_config(timeouts.build());
        let request =
            self.client.invoke().function_name(&self.function_arn).payload(payload(serde_json::to_vec(task))?);
        let answer = request.customize().config_override(waiting).send().await;
        let answer = answer.map_err(|error| ScheduleError::new(LAMBDA, error))?;
        let function_error = answer.function_error;
        let answer = answer.payload.unwrap_or_else(|| Blob::new(Vec::new()));
        if let Some(error) = function_error {
            return Err(diagnosed(answer.as_ref(), error));
        }
        serde_json::from_slice(answer.as_ref()).map_err(|error| ScheduleError::of("the sync function", &error))
    }

    /// Whether it may be invoked: Lambda looks, and does not invoke it.
    pub async fn try_invoking(&self) -> Result<(), ScheduleError> {
        let request = self.client.invoke().function_name(&self.function_arn).invocation_type(InvocationType::DryRun);
        request.send().await.map(|_| ()).map_err(|error| ScheduleError::new(LAMBDA, error))
    }

    async fn queue(&self, order: serde_json::Result<Vec<u8>>) -> Result<(), ScheduleError> {
        let request = self.client.invoke().function_name(&self.function_arn).invocation_type(InvocationType::Event);
        let invoked = request.payload(payload(order)?).send().await;
        invoked.map(|_| ()).map_err(|error| ScheduleError::new(LAMBDA, error))
    }
}

fn payload(order: serde_json::Result<Vec<u8>>) -> Result<Blob, ScheduleError> {
    order.map(Blob::new).map_err(|error| ScheduleError::of(LAMBDA, &error))
}

/// Why a function failed, as it answers or Lambda for it. `error` is Lambda's word for it, which tells next to nothing.
fn diagnosed(payload: &[u8], error: String) -> ScheduleError {
    let said: Value = serde_json::from_slice(payload).unwrap_or_default();
    let error_type = said["errorType"].as_str().map_or(error, str::to_owned);
    let message = said["errorMessage"].as_str().unwrap_or("it does not say why");
    ScheduleError::Function { error_type, message: message.chars().take(MESSAGE_LENGTH).collect() }
}
