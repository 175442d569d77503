//! How the bucket can fail, or refuse what it is given.

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStreamError,
};
use moorage_domain::{Closed, Digest, ServiceError, cause::chain};

/// A failure to store or read.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The bytes do not have the digest that they should have. Nothing was stored.
    #[error("content of {0} does not match its digest")]
    DigestMismatch(Digest),
    /// There are more or fewer bytes than there should be. Nothing was stored.
    #[error("{digest} should have {expected} bytes, but {actual} came")]
    LengthMismatch {
        /// What was to be stored.
        digest: Digest,
        /// The length that the descriptor gives.
        expected: u64,
        /// The length that came; where there was too much, up to the first byte too many.
        actual: u64,
    },
    /// A blob, or a part of one, is larger than the memory budget.
    #[error("{size} bytes are more than can be stored in the memory allowed")]
    TooLarge {
        /// The length.
        size: u64,
    },
    /// The right to change it had ended: see [`Fence`](moorage_domain::Fence).
    #[error("the right to change the repository has ended")]
    Closed,
    /// S3 refused or did not answer; the SDK's own retries are used up.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The link of a tag is none: no digest is in it.
    #[error("{0} holds no digest")]
    NoLink(String),
    /// What S3 has or sent is not what it should be, or broke off.
    #[error("S3 failed: {0}")]
    Unavailable(String),
}

impl StorageError {
    /// The failure of a service, if it is one.
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            _ => None,
        }
    }
}

/// A call of S3 that failed; what conditions refuse, each call handles itself.
pub(crate) fn failed<E>(error: SdkError<E>) -> StorageError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if Closed::caused(&error) {
        return StorageError::Closed;
    }
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    ServiceError::new("S3", error.code().map(str::to_owned), status, error).into()
}

/// An answer of S3 whose body did not come to its end.
pub(crate) fn broken_off(error: &ByteStreamError) -> StorageError {
    StorageError::Unavailable(chain(error))
}

/// What a conditional write that was refused says of the object.
pub(crate) enum Refused {
    /// It is there (412).
    Exists,
    /// Somebody else is writing it (409); whether they succeed is open.
    Conflict,
    /// The write failed for another reason.
    Failed,
}

pub(crate) fn refused<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Refused {
    match error.as_service_error().and_then(ProvideErrorMetadata::code) {
        Some("PreconditionFailed") => Refused::Exists,
        Some("ConditionalRequestConflict") => Refused::Conflict,
        _ => Refused::Failed,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::{Client, config::retry::RetryConfig};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use moorage_domain::ServiceErrorKind;

    use super::*;
    use crate::{Storage, StorageRoot};

    fn storage(rule: &Rule) -> Storage {
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [rule], |config| {
            config.retry_config(RetryConfig::disabled())
        });
        Storage::new(client, "bucket", StorageRoot::new(""), 1 << 20)
    }

    fn assert_is(error: &StorageError, expected: (&str, Option<&str>, ServiceErrorKind)) {
        let StorageError::Service(service) = error else { panic!("{error}") };
        assert_eq!((service.operation(), service.code(), service.kind()), expected, "{error}");
        assert!(std::error::Error::source(error).is_some());
    }

    #[tokio::test]
    async fn a_refusal_keeps_its_code_and_is_no_outage() {
        for (status, code, kind) in [
            (403, "AccessDenied", ServiceErrorKind::AccessDenied),
            (503, "SlowDown", ServiceErrorKind::Throttled),
            (404, "NoSuchBucket", ServiceErrorKind::Missing),
            (500, "InternalError", ServiceErrorKind::Unavailable),
        ] {
            let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
            let rule = mock!(Client::list_objects_v2).sequence().http_status(status, Some(body)).build();
            let error = storage(&rule).delete_repository(&"a/b".parse().unwrap()).await.unwrap_err();
            assert_is(&error, ("ListObjectsV2", Some(code), kind));
        }
    }

    #[test]
    fn a_body_that_breaks_off_says_why() {
        let error = broken_off(&ByteStreamError::from(std::io::Error::other("reset by peer")));
        assert!(error.to_string().ends_with("reset by peer"), "{error}");
    }

    #[tokio::test]
    async fn an_object_that_may_not_be_deleted_is_no_outage() {
        for (code, kind) in
            [("AccessDenied", ServiceErrorKind::AccessDenied), ("SlowDown", ServiceErrorKind::Throttled)]
        {
            let body = format!(
                "<DeleteResult><Error><Key>k</Key><Code>{code}</Code><Message>no</Message></Error></DeleteResult>"
            );
            let rule = mock!(Client::delete_objects).sequence().http_status(200, Some(body)).build();
            let error = storage(&rule).delete_keys(&["k"]).await.unwrap_err();
            assert_is(&error, ("DeleteObjects", Some(code), kind));
        }
    }

    #[tokio::test]
    async fn an_answer_without_a_body_is_known_by_its_status() {
        let rule = mock!(Client::head_object).sequence().http_status(403, None).build();
        let error = storage(&rule).length("key").await.unwrap_err();
        assert_is(&error, ("HeadObject", None, ServiceErrorKind::AccessDenied));
    }
}
