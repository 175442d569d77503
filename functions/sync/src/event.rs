//! One invocation by EventBridge: what it says of ECR.

use lambda_runtime::Diagnostic;
use moorage_domain::webhook::EcrEvent;

use crate::{config::Services, error::TaskError};

/// Has the mirrors of what was pushed ask for it.
pub(crate) async fn run(services: &Services, event: EcrEvent) -> Result<(), Diagnostic> {
    match services.engine.hear(event).await {
        Ok(mirrors) => {
            tracing::info!(mirrors, "an event of ECR was heard");
            Ok(())
        }
        Err(error) => {
            let error = TaskError::from(error);
            tracing::error!(%error, "an event of ECR was not heard by all");
            Err(Diagnostic { error_type: error.error_type().to_owned(), error_message: error.to_string() })
        }
    }
}
