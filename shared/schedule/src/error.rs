//! How schedules and invocations can fail.

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use moorage_domain::{ServiceError, ServiceErrorKind, cause::chain};

/// EventBridge Scheduler.
pub(crate) const SCHEDULER: &str = "EventBridge Scheduler";
/// Lambda.
pub(crate) const LAMBDA: &str = "Lambda";

/// A schedule was not made, or a function not invoked.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Scheduler or Lambda refused or did not answer; the SDK's own retries are used up.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The sync function could not do what it was asked, and says why.
    #[error("the sync function failed ({error_type}): {message}")]
    Function {
        /// What it calls its failure: AWS's code where a service failed it, so that the kind is known here too.
        error_type: String,
        /// What happened, for the log only.
        message: String,
    },
    /// What was sent or came is malformed.
    #[error("{by} failed: {message}")]
    Failed {
        /// Who.
        by: &'static str,
        /// At what.
        message: String,
    },
}

impl ScheduleError {
    /// A call of a service that failed.
    pub(crate) fn new<E>(service: &'static str, error: SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        ServiceError::new(service, error.code().map(str::to_owned), status, error).into()
    }

    /// A failure that is not a service's.
    pub(crate) fn of(by: &'static str, error: &dyn std::error::Error) -> Self {
        Self::Failed { by, message: chain(error) }
    }

    /// The failure of a service, if it is one that was called from here.
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            Self::Function { .. } | Self::Failed { .. } => None,
        }
    }

    /// Whether Lambda runs as many functions as it may at once: the same works when less goes on.
    pub fn is_throttled(&self) -> bool {
        let is_lambda = |error: &ServiceError| error.service() == LAMBDA;
        matches!(self, Self::Service(error) if is_lambda(error) && error.kind() == ServiceErrorKind::Throttled)
    }
}
