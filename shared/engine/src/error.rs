//! Failures: of a sync as a function, and of the work that it reports.

use moorage_clouds::CloudError;
use moorage_domain::{FailureReason, ServiceError, Timestamp, failure::Failure, manifest::Refusal};
use moorage_schedule::ScheduleError;
use moorage_state::{SecretError, StateError, TransitionError};
use moorage_storage::StorageError;
use moorage_upstream::UpstreamError;

/// A sync that could not even report its failure: the table or the scheduler failed. The claim expires, and the next
/// sync takes over.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The retry could not be scheduled. The mirror's own schedule goes on.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

impl SyncError {
    /// The failure of a service, if it is one.
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::State(error) => error.service(),
            Self::Schedule(error) => error.service(),
        }
    }
}

/// What stops a piece of work.
#[derive(Debug, Clone)]
pub(crate) enum WorkError {
    /// It failed; others may go on.
    Failed(Failure),
    /// The claim was lost, or the lock; nothing may go on.
    ClaimLost,
    /// The invocation's time is up; another one goes on from here.
    Suspended,
    /// The registry is to be left alone until this moment; another invocation goes on then.
    Limited(Timestamp),
}

impl WorkError {
    /// Whether content came that is not what its digest or its length says.
    pub(crate) fn is_wrong_content(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.reason == FailureReason::DigestMismatch)
    }

    /// Whether the registry does not have it, or answers by an error: not that it cannot be reached, or limits requests.
    pub(crate) fn is_refused(&self) -> bool {
        use FailureReason::{AuthFailed, NotFound, RegistryError};
        matches!(self, Self::Failed(failure) if matches!(failure.reason, NotFound | AuthFailed | RegistryError))
    }
}

impl From<UpstreamError> for WorkError {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::RateLimited { until } => Self::Limited(until),
            error => Self::Failed(Failure::of(error.reason(), &error)),
        }
    }
}

impl From<StorageError> for WorkError {
    fn from(error: StorageError) -> Self {
        let reason = match error {
            StorageError::Closed => return Self::ClaimLost,
            StorageError::DigestMismatch(_) | StorageError::LengthMismatch { .. } => FailureReason::DigestMismatch,
            StorageError::TooLarge { .. } => FailureReason::ContentRefused,
            StorageError::Service(_) | StorageError::NoLink(_) | StorageError::Unavailable(_) => {
                FailureReason::StorageError
            }
        };
        Self::Failed(Failure::of(reason, &error).caused_by(error.service()))
    }
}

impl From<Refusal> for WorkError {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(Failure::of(FailureReason::ContentRefused, &refusal))
    }
}

impl From<StateError> for WorkError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Closed => Self::ClaimLost,
            error => Self::Failed(error.into()),
        }
    }
}

impl From<SecretError> for WorkError {
    fn from(error: SecretError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<CloudError> for WorkError {
    fn from(error: CloudError) -> Self {
        Self::Failed(Failure::of(error.reason(), &error))
    }
}

impl From<TransitionError> for WorkError {
    fn from(error: TransitionError) -> Self {
        match error {
            TransitionError::State(error) => error.into(),
            TransitionError::NotFound | TransitionError::NotEligible(_) | TransitionError::ClaimLost => Self::ClaimLost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_refuses_keeps_its_code() {
        let denied = |service| {
            ServiceError::new(
                service,
                Some("AccessDeniedException".into()),
                Some(400),
                std::io::Error::other("arn:aws:x"),
            )
        };
        for error in [
            WorkError::from(StateError::from(denied("DynamoDB"))),
            StorageError::from(denied("S3")).into(),
            SecretError::from(denied("KMS")).into(),
        ] {
            let WorkError::Failed(failure) = error else { panic!("{error:?}") };
            let code = failure.code.as_deref();
            assert_eq!((failure.reason, code), (FailureReason::StorageError, Some("AccessDeniedException")));
            assert!(failure.is_operators());
            assert!(!failure.message.contains("arn:") && failure.logged().contains("arn:"), "{failure:?}");
        }
        let WorkError::Failed(failure) = SecretError::Undecryptable.into() else { panic!() };
        assert_eq!((failure.reason, failure.code), (FailureReason::DecryptionFailed, None));
    }
}
