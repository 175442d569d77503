//! Failures: of a task as a function, and of a round, which is reported.

use moorage_clouds::CloudError;
use moorage_domain::{FailureReason, ServiceError, Timestamp, failure::Failure};
use moorage_schedule::ScheduleError;
use moorage_state::{SecretError, StateError, TransitionError};
use moorage_upstream::UpstreamError;

/// What was asked for could not be done, and that could not be reported either. It can be asked for again.
#[derive(Debug, thiserror::Error)]
pub enum OrganizationsError {
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// Something could not be scheduled or started.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

impl OrganizationsError {
    /// The failure of a service, if it is one.
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::State(error) => error.service(),
            Self::Schedule(error) => error.service(),
        }
    }
}

/// What stops a round.
#[derive(Debug)]
pub(crate) enum RoundError {
    /// It failed.
    Failed(Failure),
    /// The claim was lost: the mirror was cancelled or deleted, or another discovery took over.
    ClaimLost,
    /// The registry is to be left alone until this moment; another invocation goes on then.
    Limited(Timestamp),
}

/// A failure that none of the classes names.
pub(crate) fn unusable(error: impl std::error::Error) -> RoundError {
    RoundError::Failed(Failure::of(FailureReason::UnknownError, &error))
}

impl From<OrganizationsError> for RoundError {
    fn from(error: OrganizationsError) -> Self {
        Self::Failed(Failure::of(FailureReason::UnknownError, &error).caused_by(error.service()))
    }
}

impl From<UpstreamError> for RoundError {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::RateLimited { until } => Self::Limited(until),
            error => Self::Failed(Failure::of(error.reason(), &error)),
        }
    }
}

impl From<StateError> for RoundError {
    fn from(error: StateError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<SecretError> for RoundError {
    fn from(error: SecretError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<CloudError> for RoundError {
    fn from(error: CloudError) -> Self {
        Self::Failed(Failure::of(error.reason(), &error))
    }
}

impl From<TransitionError> for RoundError {
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
    fn what_a_service_says_is_told_nobody() {
        let denied = |service| {
            let said = std::io::Error::other("User: arn:aws:sts::1:assumed-role/sync is not authorized");
            ServiceError::new(service, Some("AccessDeniedException".into()), Some(400), said)
        };
        for error in [
            RoundError::from(StateError::from(denied("DynamoDB"))),
            SecretError::from(denied("KMS")).into(),
            OrganizationsError::from(ScheduleError::from(denied("Lambda"))).into(),
        ] {
            let RoundError::Failed(failure) = error else { panic!("{error:?}") };
            assert!(!failure.message.contains("arn:") && failure.logged().contains("arn:"), "{failure:?}");
            assert_eq!(failure.code.as_deref(), Some("AccessDeniedException"));
        }
    }
}
