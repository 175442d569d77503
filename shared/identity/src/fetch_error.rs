//! Why an issuer's keys cannot be had.

use crate::{issuer::IssuerError, key::KeysError};

/// The longest document, in bytes: as many keys as are taken, with their certificates.
pub(crate) const MAX_LENGTH: usize = 512 * 1024;

/// Why an issuer's keys cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It, or where its keys are, is nothing that we may ask.
    #[error("the issuer, or where its keys are, is not allowed: {0}")]
    NotAllowed(IssuerError),
    /// A name leads to an address that is not allowed.
    #[error("the issuer, or where its keys are, is at an address that is not allowed")]
    Address,
    /// There was no answer.
    #[error("the issuer did not answer")]
    Unreachable,
    /// Its host was asked too often a moment ago.
    #[error("the issuer's host, or that of its keys, was asked too often")]
    Paused,
    /// It answers something else than a document.
    #[error("the issuer answered with status {0}")]
    Status(u16),
    /// The document is too long.
    #[error("the issuer's document is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// The document is none that says where keys are.
    #[error("the issuer's discovery document is malformed")]
    Malformed,
    /// The document is another issuer's.
    #[error("the issuer's discovery document names another issuer")]
    OtherIssuer,
    /// There are no keys where they should be.
    #[error("the issuer's keys cannot be used: {0}")]
    Keys(KeysError),
}

impl FetchError {
    /// Whether the same may work later, because the provider has a fault of its own, or too many have asked.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable | Self::Paused => true,
            Self::Status(status) => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }
}
