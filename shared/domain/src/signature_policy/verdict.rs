//! What verification finds.

use serde::{Deserialize, Serialize};

use crate::{Digest, Timestamp};

/// What is found of a tag that is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is signed as the policy asks.
    Verified {
        /// What it was found by: at least one. With `all` it is one for each authority, and with attestations one for each
        /// predicate type.
        by: Vec<Verified>,
    },
    /// It is not.
    Refused {
        /// Why, of the signature that came nearest.
        reason: Refusal,
        /// The same, for people.
        detail: String,
    },
    /// Nobody can say: a registry did not answer, or not completely. It is never taken for unsigned, nor for signed.
    Unavailable {
        /// What could not be had, for people.
        detail: String,
    },
}

/// A signature, or an attestation, that verification has found to be what the policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Whose of the authorities.
    pub authority: String,
    /// Who vouches for the subject; none with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Who signed; none with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The earliest time at which the signature is proven to have been there; none where neither a log nor a clock says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Its place in the transparency log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
    /// The predicate type, of an attestation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// The digest of the bytes that were judged: of the bundle, or of the manifest whose annotations have the signature.
    /// What is mirrored beside the image has to have it.
    pub evidence: Digest,
}

/// Why an image is not signed as the policy asks. Of several signatures the one counts that came nearest, which is the last
/// in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// There is no signature of a format that is taken.
    Unsigned,
    /// A signature, or what a log or a clock says of it, is not right.
    BadSignature,
    /// What is signed is another image.
    WrongDigest,
    /// The certificate, the log or the clock is of nobody who is trusted, or what is trusted is too old.
    UntrustedRoot,
    /// Nothing proves that the certificate was valid when it signed.
    NoTime,
    /// Somebody else has signed.
    WrongIdentity,
    /// There are more candidates than are looked at.
    TooManyReferrers,
    /// It was signed before the image that the tag points to.
    OlderSignature,
}

impl Refusal {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::BadSignature => "bad_signature",
            Self::WrongDigest => "wrong_digest",
            Self::UntrustedRoot => "untrusted_root",
            Self::NoTime => "no_time",
            Self::WrongIdentity => "wrong_identity",
            Self::TooManyReferrers => "too_many_referrers",
            Self::OlderSignature => "older_signature",
        }
    }
}

impl Refusal {
    /// In words.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Unsigned => "nobody has signed it",
            Self::BadSignature => "a signature of it is not right",
            Self::WrongDigest => "what is signed is another image",
            Self::UntrustedRoot => "who vouches for its signature is not trusted, or not any more",
            Self::NoTime => "nothing proves when it was signed",
            Self::WrongIdentity => "somebody else has signed it",
            Self::TooManyReferrers => "it has more signatures than are looked at",
            Self::OlderSignature => "it was signed before the image that the tag points to",
        }
    }
}

impl Verdict {
    /// The name of what keeps an image out; none where nothing does.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Verified { .. } => None,
            Self::Refused { reason, .. } => Some(reason.as_str()),
            Self::Unavailable { .. } => Some("evidence_unavailable"),
        }
    }
}
