//! Why a provider gives no token.

use std::fmt;

/// Why a provider gives no token. No message has a token, a code or what the provider says in words of its own.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A URL of it is none that may be asked.
    #[error("a URL of the provider is not right: {why}")]
    Endpoint {
        /// What is wrong with it.
        why: &'static str,
    },
    /// No client could be made, as the machine's certificates cannot be read.
    #[error("connections cannot be made: {0}")]
    Setup(#[source] reqwest::Error),
    /// No connection, or it was lost, or it took too long.
    #[error("the provider {host} cannot be reached: {why}")]
    Unreachable {
        /// Its host.
        host: String,
        /// What went wrong.
        why: String,
    },
    /// It is not there now.
    #[error("the provider {host} cannot do it now ({status})")]
    Unavailable {
        /// Its host.
        host: String,
        /// What it has answered with.
        status: u16,
    },
    /// It says no.
    #[error("the provider refuses it: {0}")]
    Refused(Refusal),
    /// It answers something else than a provider does.
    #[error("the provider {host} answers what is not understood: {why}")]
    NotUnderstood {
        /// Its host.
        host: String,
        /// What was answered.
        why: &'static str,
    },
}

/// What a provider says no with: the codes of RFC 6749, 5.2, and RFC 8628, 3.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody has confirmed yet.
    AuthorizationPending,
    /// The same, and it was asked too often.
    SlowDown,
    /// Somebody has said no.
    AccessDenied,
    /// Nobody has confirmed in time.
    ExpiredToken,
    /// The code or the refresh token is not good any more.
    InvalidGrant,
    /// It does not know the client, or wants a secret of it.
    InvalidClient,
    /// The client may not ask so.
    UnauthorizedClient,
    /// It does not know this way to ask.
    UnsupportedGrantType,
    /// It does not know what was asked for.
    InvalidScope,
    /// It misses something in what it was asked.
    InvalidRequest,
    /// Something else.
    Other,
}

impl Refusal {
    /// All that have a code.
    const ALL: [Self; 10] = [
        Self::AuthorizationPending,
        Self::SlowDown,
        Self::AccessDenied,
        Self::ExpiredToken,
        Self::InvalidGrant,
        Self::InvalidClient,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::InvalidRequest,
    ];

    /// The one of a code.
    pub(super) fn named(code: &str) -> Self {
        Self::ALL.into_iter().find(|it| it.as_str() == code).unwrap_or(Self::Other)
    }

    /// Its code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::AccessDenied => "access_denied",
            Self::ExpiredToken => "expired_token",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidClient => "invalid_client",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidRequest => "invalid_request",
            Self::Other => "for another reason",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_has_no_words_of_its_own() {
        for code in Refusal::ALL {
            assert_eq!(Refusal::named(code.as_str()), code);
        }
        for code in ["", "for another reason", "\u{1b}[2J", "INVALID_GRANT"] {
            assert_eq!(Refusal::named(code), Refusal::Other, "{code:?}");
        }
    }
}
