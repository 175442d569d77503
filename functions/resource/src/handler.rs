//! One invocation: a request of a stack.

use std::time::{Instant, SystemTime};

use lambda_runtime::{Diagnostic, LambdaEvent};
use moorage_resources::{Resources, Unanswered};
use serde_json::Value;

/// Does what a stack wants, and answers it. An answer that nobody took is a failure, which Lambda tries again.
pub(crate) async fn handle(resources: &Resources, event: LambdaEvent<Value>) -> Result<(), Diagnostic> {
    let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    resources.serve(&event.payload, Instant::now() + left).await.map_err(|error| {
        let error_type = match error {
            Unanswered::Event => "EventError",
            Unanswered::Callback(_) => "CallbackError",
        };
        Diagnostic { error_type: error_type.to_owned(), error_message: error.to_string() }
    })
}
