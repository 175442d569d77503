//! Why a signature does not do.

use moorage_domain::signature_policy::{Refusal, Verdict};
use sigstore_verify::{CertificateError, Error, TransparencyLogError};

/// The longest detail, in bytes. It quotes what registries send, and is a part of each outcome.
const DETAIL_LENGTH: usize = 300;

use crate::candidate::Unreadable;

/// What is in the text of a chain that is none because of the time.
const EXPIRED: [&str; 2] = ["CertExpired", "CertNotValidYet"];

/// Why something does not do. Of several, the largest came nearest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// It is not what the policy asks for.
    Refused(Refusal, String),
    /// It cannot be judged: it might be.
    Unavailable(String),
}

impl Failure {
    /// A refusal that quotes what was found.
    pub(crate) fn new(reason: Refusal, detail: impl Into<String>) -> Self {
        Self::Refused(reason, detail.into())
    }

    /// The same, with whose signature it is about.
    pub(crate) fn of(self, authority: &str) -> Self {
        match self {
            Self::Refused(reason, detail) => Self::Refused(reason, format!("{authority}: {detail}")),
            Self::Unavailable(detail) => Self::Unavailable(format!("{authority}: {detail}")),
        }
    }

    /// The same, with what could not be read.
    pub(crate) fn beside(self, count: usize, first: Option<&Unreadable>) -> Self {
        match (self, first) {
            (Self::Refused(reason, detail), Some(first)) => Self::Refused(
                reason,
                format!("{detail}; {count} candidates cannot be read, of which the first {first}"),
            ),
            (failure, _) => failure,
        }
    }
}

/// What the first finds that finds something; otherwise the failure that came nearest.
pub(crate) fn any<T>(results: impl Iterator<Item = Result<T, Failure>>) -> Result<T, Failure> {
    let mut nearest = Failure::new(Refusal::Unsigned, "");
    for result in results {
        match result {
            Ok(found) => return Ok(found),
            Err(failure) => nearest = nearest.max(failure),
        }
    }
    Err(nearest)
}

impl From<Failure> for Verdict {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(reason, detail) => Self::Refused { reason, detail: bounded(&detail) },
            Failure::Unavailable(detail) => Self::Unavailable { detail: bounded(&detail) },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let reason = match &error {
            Error::ArtifactMismatch(_) => Refusal::WrongDigest,
            Error::IdentityMismatch { .. } | Error::IssuerMismatch { .. } => Refusal::WrongIdentity,
            Error::Certificate(error) => of_certificate(error),
            Error::TransparencyLog(error) => of_log(error),
            Error::Timestamp(_) => Refusal::NoTime,
            Error::InvalidTrustRoot(_) | Error::TrustRoot(_) | Error::TrustedCertificate(_) => Refusal::UntrustedRoot,
            _ => Refusal::BadSignature,
        };
        Self::new(reason, error.to_string())
    }
}

fn of_certificate(error: &CertificateError) -> Refusal {
    match error {
        CertificateError::NotYetValid { .. } | CertificateError::Expired { .. } => Refusal::NoTime,
        CertificateError::Malformed(_) => Refusal::BadSignature,
        // Only the text says why a chain is none. What is lost if it changes is the right word for a refusal.
        CertificateError::ChainInvalid(detail) if EXPIRED.iter().any(|name| detail.contains(name)) => Refusal::NoTime,
        _ => Refusal::UntrustedRoot,
    }
}

fn of_log(error: &TransparencyLogError) -> Refusal {
    match error {
        TransparencyLogError::UnknownLog { .. } | TransparencyLogError::Checkpoint(_) => Refusal::UntrustedRoot,
        TransparencyLogError::IntegratedTime(_) => Refusal::NoTime,
        _ => Refusal::BadSignature,
    }
}

/// A text of bounded length, on one line.
pub(crate) fn bounded(text: &str) -> String {
    let text: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    text.get(..text.floor_char_boundary(DETAIL_LENGTH)).unwrap_or_default().to_owned()
}
