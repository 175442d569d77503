//! Asynchronous invocations: syncs that start now.

use aws_sdk_lambda::{Client, primitives::Blob, types::InvocationType};
use moorage_domain::run::SyncRequest;

use crate::ScheduleError;

/// Invokes the sync function without waiting for it.
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
        let payload = serde_json::to_vec(request).map_err(|error| ScheduleError::new("Lambda", &error))?;
        let request = self.client.invoke().function_name(&self.function_arn).invocation_type(InvocationType::Event);
        let invoked = request.payload(Blob::new(payload)).send().await;
        invoked.map(|_| ()).map_err(|error| ScheduleError::new("Lambda", &error))
    }
}
