//! How the bucket can fail, or refuse what it is given.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use moorage_domain::{Digest, ServiceError};

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
    /// S3 refused or did not answer; the SDK's own retries are used up.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// What S3 has or sent is not what it should be, or broke off.
    #[error("S3 failed: {0}")]
    Unavailable(String),
}

/// A call of S3 that failed; what conditions refuse, each call handles itself.
pub(crate) fn failed<E>(error: SdkError<E>) -> StorageError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    let code = error.code().map(str::to_owned);
    ServiceError::new("S3", code.as_deref(), status, error).into()
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
