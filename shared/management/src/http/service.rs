//! Failures of the services of AWS that a call needs: of what kind they are by AWS's own codes, and what a client is told.

use moorage_domain::{ServiceError, ServiceErrorKind};
use moorage_runtime::{StackSecretError, StackSecretFailure};
use serde_json::json;

use crate::http::answer::Answer;

/// A service did not do what a call needs.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ServiceFailure {
    kind: ServiceErrorKind,
    /// AWS's code of the error, such as `AccessDeniedException`; none if the service did not answer.
    pub(crate) code: Option<String>,
    /// What failed and why, for the log only.
    pub(crate) message: String,
}

impl ServiceFailure {
    /// What the client is told: 503 if trying again may help, else 500 with the service's code.
    pub(crate) fn answer(&self) -> Answer {
        let code = self.code.as_deref().unwrap_or_default();
        match self.kind {
            ServiceErrorKind::Unavailable => unavailable(),
            ServiceErrorKind::Throttled => Answer::Later(json!({
                "message": format!("A service that is needed has too much to do ({code}). Try again in some seconds."),
            })),
            ServiceErrorKind::AccessDenied | ServiceErrorKind::Missing => Answer::Json(
                500,
                json!({
                    "message": format!(
                        "A service that is needed refuses this deployment ({code}). Trying again does not help: its operator \
                         has to mend it, and the log says more."
                    ),
                }),
            ),
        }
    }
}

/// What the client is told where trying again is all that may help.
pub(crate) fn unavailable() -> Answer {
    Answer::Json(503, json!({"message": "A service that is needed did not answer. Try again."}))
}

impl From<&ServiceError> for ServiceFailure {
    fn from(error: &ServiceError) -> Self {
        Self { kind: error.kind(), code: error.code().map(str::to_owned), message: error.to_string() }
    }
}

impl From<StackSecretError> for ServiceFailure {
    fn from(error: StackSecretError) -> Self {
        let message = error.to_string();
        let kind = match error.kind {
            StackSecretFailure::Gone => ServiceErrorKind::Missing,
            StackSecretFailure::Refused => ServiceErrorKind::AccessDenied,
            StackSecretFailure::Unavailable => ServiceErrorKind::of(error.code.as_deref(), None),
        };
        Self { kind, code: error.code, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_has_to_mend_is_told_by_its_code() {
        for (code, status, told) in [
            (Some("AccessDeniedException"), 500, true),
            (Some("ResourceNotFoundException"), 500, true),
            (Some("ThrottlingException"), 503, true),
            (Some("InternalServerError"), 503, false),
            (None, 503, false),
        ] {
            let failed = std::io::Error::other("arn of the secret");
            let answer = ServiceFailure::from(&ServiceError::new("DynamoDB", code, None, failed)).answer();
            let (Answer::Json(_, body) | Answer::Later(body)) = &answer else { panic!("{answer:?}") };
            let body = body.to_string();
            assert_eq!((answer.status(), code.is_some_and(|code| body.contains(code))), (status, told), "{body}");
            assert!(!body.contains("arn"), "reasons stay in the log");
        }
    }
}
