//! Failures: of a sync as a function, and of the work that it reports.

use moorage_domain::{FailureReason, Timestamp, failure::Failure, manifest::Refusal};
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
    /// The next attempt could not be scheduled. The mirror's own schedule goes on.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// It hit a fault of ours.
    #[error("a fault of ours: the function's log says where")]
    Fault,
}

/// The longest message that a run keeps of one failure, in bytes. Some hundreds of outcomes share an item.
const MESSAGE_LENGTH: usize = 400;

/// What stops a piece of work.
#[derive(Debug, Clone)]
pub(crate) enum WorkError {
    /// It failed; others may go on.
    Failed(Failure),
    /// The claim was lost; nothing may go on.
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

fn failed(reason: FailureReason, error: &dyn std::error::Error) -> WorkError {
    WorkError::Failed(Failure { reason, message: cut(error.to_string()) })
}

/// A failure of one piece of work, by what it is.
pub(crate) fn failure<E: std::error::Error>(reason: FailureReason, error: &E) -> Failure {
    Failure { reason, message: cut(error.to_string()) }
}

/// A message, as much of it as is kept.
pub(crate) fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_LENGTH {
        let end = (0..=MESSAGE_LENGTH).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
        message.shrink_to_fit();
    }
    message
}

/// A failure that none of the classes names.
pub(crate) fn unusable(error: impl std::error::Error) -> WorkError {
    failed(FailureReason::UnknownError, &error)
}

impl From<UpstreamError> for WorkError {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::RateLimited { until } => Self::Limited(until),
            error => failed(error.reason(), &error),
        }
    }
}

impl From<StorageError> for WorkError {
    fn from(error: StorageError) -> Self {
        let reason = match error {
            StorageError::DigestMismatch(_) | StorageError::LengthMismatch { .. } => FailureReason::DigestMismatch,
            StorageError::TooLarge { .. } => FailureReason::ContentRefused,
            StorageError::Service(_) | StorageError::Unavailable(_) => FailureReason::StorageError,
        };
        failed(reason, &error)
    }
}

impl From<Refusal> for WorkError {
    fn from(refusal: Refusal) -> Self {
        failed(FailureReason::ContentRefused, &refusal)
    }
}

impl From<StateError> for WorkError {
    fn from(error: StateError) -> Self {
        failed(FailureReason::StorageError, &error)
    }
}

impl From<SecretError> for WorkError {
    fn from(error: SecretError) -> Self {
        failed(FailureReason::DecryptionFailed, &error)
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
