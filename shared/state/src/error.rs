//! How the table can fail.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use moorage_domain::{Closed, FailureReason, ServiceError, failure::Failure};

/// A failure of the table.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StateError {
    /// Somebody else changed the item first, or it exists already.
    #[error("the item was changed by somebody else")]
    Conflict,
    /// The repository is in use, for some seconds.
    #[error("the repository is in use")]
    Locked,
    /// What was asked for is not there.
    #[error("there is no such item")]
    NotFound,
    /// An item does not have the form that this version writes.
    #[error("an item of the table cannot be read: {0}")]
    Corrupt(#[from] serde_dynamo::Error),
    /// The right by which it was to be written had ended: see [`Fence`](moorage_domain::Fence).
    #[error("the right to change the repository has ended")]
    Closed,
    /// DynamoDB refused or did not answer; the SDK's own retries are used up.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// What was to be done was given up: others were in the way all the time, or DynamoDB left it undone again and again.
    #[error("the table failed: {0}")]
    Unavailable(String),
}

impl StateError {
    /// The failure of a service, if it is one.
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            _ => None,
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::of(FailureReason::StorageError, &error).caused_by(error.service())
    }
}

/// A call of DynamoDB that failed; what conditions refuse, each call handles itself.
pub(crate) fn failed<E>(error: SdkError<E>) -> StateError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if Closed::caused(&error) {
        return StateError::Closed;
    }
    service_error("DynamoDB", error).into()
}

/// A call of a service that failed.
pub(crate) fn service_error<E>(service: &'static str, error: SdkError<E>) -> ServiceError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    ServiceError::new(service, error.code().map(str::to_owned), status, error)
}

/// Of deletions: what is not there is gone, whoever took it away.
pub(crate) fn or_gone(deleted: Result<(), StateError>) -> Result<(), StateError> {
    match deleted {
        Err(StateError::NotFound) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{Client, config::retry::RetryConfig};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use moorage_domain::{FailureReason, ServiceErrorKind, failure::Failure};

    use crate::{StateError, Table};

    #[tokio::test]
    async fn a_refusal_keeps_its_code_and_is_no_outage() {
        for (status, code, kind) in [
            (400, "AccessDeniedException", ServiceErrorKind::AccessDenied),
            (400, "ThrottlingException", ServiceErrorKind::Throttled),
            (400, "ResourceNotFoundException", ServiceErrorKind::Missing),
            (500, "InternalServerError", ServiceErrorKind::Unavailable),
        ] {
            let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"no"}}"#);
            let rule = mock!(Client::get_item).sequence().http_status(status, Some(body)).build();
            let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&rule], |config| {
                config.retry_config(RetryConfig::disabled())
            });
            let error = Table::new(client, "table").mirror(&"a/b".parse().unwrap()).await.unwrap_err();
            let StateError::Service(service) = &error else { panic!("{error}") };
            assert_eq!((service.kind(), service.code(), service.operation()), (kind, Some(code), "GetItem"));
            let says_denied =
                error.to_string().starts_with("DynamoDB denies access to GetItem (AccessDeniedException)");
            assert_eq!(says_denied, kind == ServiceErrorKind::AccessDenied, "{error}");
            assert!(std::error::Error::source(&error).is_some());
            let failure = Failure::from(error);
            assert_eq!((failure.reason, failure.code.as_deref()), (FailureReason::StorageError, Some(code)));
        }
    }
}
