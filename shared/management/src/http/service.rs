//! Failures of the services of AWS that a call needs, and what a client is told of them.

use moorage_domain::{ServiceError, ServiceErrorKind};
use moorage_runtime::StackSecretError;
use serde_json::json;

use crate::http::answer::Answer;

/// A service did not do what a call needs.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ServiceFailure {
    kind: ServiceErrorKind,
    /// The service's code, such as `AccessDeniedException`; none if it did not answer with one.
    pub(crate) code: Option<String>,
    /// What failed and why, for the log only.
    pub(crate) message: String,
}

impl ServiceFailure {
    /// By what another function has handed on. A code that has no kind is not known to be AWS's, and is kept from clients.
    pub(crate) fn handed_on(code: Option<String>, message: String) -> Self {
        let kind = ServiceErrorKind::of(code.as_deref(), None);
        Self { kind, code, message }
    }

    /// What the client is told: 503 if the same call may work later, else 500 with the service's code.
    pub(crate) fn answer(&self) -> Answer {
        let code = self.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
        match self.kind {
            ServiceErrorKind::Unavailable => unavailable(),
            ServiceErrorKind::Throttled => {
                let message = format!("A service that is needed has too much to do{code}. Try again in some seconds.");
                Answer::Later(json!({ "message": message }))
            }
            ServiceErrorKind::AccessDenied | ServiceErrorKind::Missing => {
                let message = format!(
                    "A service that is needed refuses this deployment{code}. Only its operator can mend that, and the log says \
                     more."
                );
                Answer::Json(500, json!({ "message": message }))
            }
        }
    }
}

/// The answer where something that is needed failed by itself.
pub(crate) fn unavailable() -> Answer {
    Answer::Json(503, json!({"message": "A service that is needed did not answer. Try again."}))
}

impl From<ServiceError> for ServiceFailure {
    fn from(error: ServiceError) -> Self {
        Self { kind: error.kind(), code: error.code().map(str::to_owned), message: error.to_string() }
    }
}

impl From<StackSecretError> for ServiceFailure {
    fn from(error: StackSecretError) -> Self {
        Self { kind: error.kind(), code: error.code().map(str::to_owned), message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    #[test]
    fn what_only_the_operator_can_mend_is_told_by_its_code() {
        for (code, status, told) in [
            (Some("AccessDeniedException"), 500, true),
            (Some("ResourceNotFoundException"), 500, true),
            (Some("ThrottlingException"), 503, true),
            (Some("InternalServerError"), 503, false),
            (None, 503, false),
        ] {
            let error = ServiceError::new("DynamoDB", code.map(str::to_owned), None, Error::other("arn of the table"));
            let failure = ServiceFailure::from(error);
            assert_eq!((failure.code.as_deref(), failure.message.contains("arn")), (code, true), "the log has both");
            let answer = failure.answer();
            let (Answer::Json(_, body) | Answer::Later(body)) = &answer else { panic!("{answer:?}") };
            let body = body.to_string();
            assert_eq!((answer.status(), code.is_some_and(|code| body.contains(code))), (status, told), "{body}");
            assert!(!body.contains("arn"), "reasons stay in the log");
        }
    }
}
