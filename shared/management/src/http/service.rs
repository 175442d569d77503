//! Failures of the services of AWS that a call needs: of what kind they are by AWS's own codes, and what a client is told.

use moorage_domain::{ServiceError, ServiceErrorKind};
use moorage_runtime::{StackSecretError, StackSecretFailure};
use serde_json::json;

use crate::http::answer::Answer;

/// A service did not do what a call needs.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ServiceFailure {
    kind: Kind,
    /// AWS's code of the error, such as `AccessDeniedException`; none if the service did not answer.
    pub(crate) code: Option<String>,
    /// What failed and why, for the log only.
    pub(crate) message: String,
}

/// What helps against a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Trying again, mostly.
    Unavailable,
    /// Trying again some seconds later: the service has too much to do.
    Throttled,
    /// Only the deployment's operator: a right, a table, a key or a secret is missing.
    Misconfigured,
}

impl From<ServiceErrorKind> for Kind {
    fn from(kind: ServiceErrorKind) -> Self {
        match kind {
            ServiceErrorKind::AccessDenied | ServiceErrorKind::Missing => Self::Misconfigured,
            ServiceErrorKind::Throttled => Self::Throttled,
            ServiceErrorKind::Unavailable => Self::Unavailable,
        }
    }
}

impl ServiceFailure {
    /// A failure with the service's code, if it answered with one.
    pub(crate) fn new(code: Option<&str>, message: String) -> Self {
        Self { kind: ServiceErrorKind::of(code, None).into(), code: code.map(str::to_owned), message }
    }

    /// What the client is told: 503 if trying again may help, else 500 with the service's code.
    pub(crate) fn answer(&self) -> Answer {
        let code = self.code.as_deref().unwrap_or_default();
        match self.kind {
            Kind::Unavailable => {
                Answer::Json(503, json!({"message": "A service that is needed did not answer. Try again."}))
            }
            Kind::Throttled => Answer::Later(json!({
                "message": format!("A service that is needed has too much to do ({code}). Try again in some seconds."),
            })),
            Kind::Misconfigured => Answer::Json(
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

impl From<ServiceError> for ServiceFailure {
    fn from(error: ServiceError) -> Self {
        Self { kind: error.kind().into(), code: error.code().map(str::to_owned), message: error.to_string() }
    }
}

impl From<StackSecretError> for ServiceFailure {
    fn from(error: StackSecretError) -> Self {
        let message = error.to_string();
        match error.kind {
            StackSecretFailure::Gone | StackSecretFailure::Refused => {
                Self { kind: Kind::Misconfigured, code: error.code, message }
            }
            StackSecretFailure::Unavailable => Self::new(error.code.as_deref(), message),
        }
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
            let answer = ServiceFailure::new(code, "arn of the secret".to_owned()).answer();
            let (Answer::Json(_, body) | Answer::Later(body)) = &answer else { panic!("{answer:?}") };
            let body = body.to_string();
            assert_eq!((answer.status(), code.is_some_and(|code| body.contains(code))), (status, told), "{body}");
            assert!(!body.contains("arn"), "reasons stay in the log");
        }
    }
}
