//! How often a provider is asked whether somebody has confirmed.

use std::time::Duration;

use crate::provider::failure::{ProviderError, Refusal};

/// By how much the pauses grow when the provider says that it is asked too often (RFC 8628, 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// The longest pause: whoever has confirmed looks at the terminal.
const LONGEST: Duration = Duration::from_secs(60);

/// Whether it is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// After the pause.
    Again,
    /// Not any more.
    Never,
}

/// The pauses.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval }
    }

    /// How long the next pause is.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// What follows a failure.
    pub(super) fn next(&mut self, error: &ProviderError) -> Next {
        self.interval = match error {
            ProviderError::Refused(Refusal::AuthorizationPending) => self.interval,
            ProviderError::Refused(Refusal::SlowDown) => self.interval + SLOWER,
            // Somebody may have confirmed it meanwhile, and the code is not used up by that.
            ProviderError::Unreachable { .. } | ProviderError::Unavailable { .. } => self.interval * 2,
            _ => return Next::Never,
        };
        self.interval = self.interval.min(LONGEST);
        Next::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_becomes_slower_as_it_is_told_and_ends_with_a_no() {
        let mut pace = Pace::new(Duration::from_secs(5));
        let lost = || ProviderError::Unreachable { host: String::new(), why: String::new() };
        for (error, seconds) in [
            (ProviderError::Refused(Refusal::AuthorizationPending), 5),
            (ProviderError::Refused(Refusal::SlowDown), 10),
            (ProviderError::Refused(Refusal::AuthorizationPending), 10),
            (ProviderError::Refused(Refusal::SlowDown), 15),
            (lost(), 30),
            (ProviderError::Unavailable { host: String::new(), status: 503 }, 60),
            (lost(), 60),
        ] {
            assert_eq!((pace.next(&error), pace.interval().as_secs()), (Next::Again, seconds), "{error}");
        }
        for refusal in [Refusal::AccessDenied, Refusal::ExpiredToken, Refusal::InvalidGrant, Refusal::Other] {
            assert_eq!(pace.next(&ProviderError::Refused(refusal)), Next::Never, "{refusal}");
        }
    }
}
