//! How a login at a cloud can fail.

use moorage_domain::{CloudRefusal, FailureReason};
use moorage_upstream::UpstreamError;

/// A failure, with what can be done about it. Messages hold no token, and nothing of what a cloud says but its code.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CloudError {
    /// The deployment does not allow it, or not there.
    #[error(transparent)]
    Refused(#[from] CloudRefusal),
    /// A cloud says no.
    #[error("{who} refuses {what} with status {status}{code}: {advice}")]
    Denied {
        /// Which cloud.
        who: &'static str,
        /// What it was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// Its own code, as a part of the sentence.
        code: String,
        /// What there has to be.
        advice: String,
    },
    /// A cloud cannot be reached.
    #[error("{who} does not give {what}: {error}")]
    Unreachable {
        /// Which cloud.
        who: &'static str,
        /// What it was asked for.
        what: String,
        /// Why.
        error: UpstreamError,
    },
    /// A cloud fails, or answers what nobody expects.
    #[error("{who} does not give {what}: it answers {answer}")]
    Failed {
        /// Which cloud.
        who: &'static str,
        /// What it was asked for.
        what: String,
        /// What came.
        answer: String,
    },
    /// The function has no credentials of its own, or none that can sign.
    #[error("the function has no role of its own to log in as")]
    NoRole,
}

impl CloudError {
    /// The class of the failure.
    pub fn reason(&self) -> FailureReason {
        match self {
            Self::Refused(CloudRefusal::OtherRegistry { .. } | CloudRefusal::OtherPartition { .. }) => {
                FailureReason::InvalidSourceRegistry
            }
            Self::Refused(_) | Self::Denied { .. } => FailureReason::AuthFailed,
            Self::Unreachable { error, .. } => error.reason(),
            Self::Failed { .. } => FailureReason::RegistryError,
            Self::NoRole => FailureReason::UnknownError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_cannot_be_read_is_no_login() {
        assert_eq!(CloudError::from(CloudRefusal::Unreadable).reason(), FailureReason::AuthFailed);
    }
}
