//! By whom images have to be signed before they are mirrored: `signature_policy`, a field of ours.
//!
//! | field | |
//! |---|---|
//! | `mode` | `off`; `observe`, which judges and says so, and keeps nothing out; `enforce` |
//! | `require` | `any` (what is taken if it is not said) of the authorities, or `all` |
//! | `authorities` | who may sign ([`Authority`]) |
//! | `tags` | globs of the tags that are judged; all if there are none |
//! | `no_rollback` | whether a tag must not point to an image that was signed before the one that it points to, nor to one of which nothing proves when; not if it is not said |
//! | `judge_served` | whether what is served already is judged, too, once for each change of the policy; not if it is not said. What is refused then stays served, and the run fails for it |
//!
//! An authority has a `name`, and:
//!
//! | field | |
//! |---|---|
//! | `key` | a public key: `pem`, or `kms`, the ARN of one that KMS has; or instead |
//! | `keyless` | `identities`, of which one has to be in the certificate, each an `issuer` or `issuer_regex` and a `subject` or `subject_regex`; and `trust_root`: `public` (Sigstore's own; if it is not said), `github`, or the name of another |
//! | `formats` | `bundle`, as cosign 3 and GitHub sign, and `simple`, as cosign did before, in tags; both if it is not said |
//! | `transparency_log` | whether a log has to have the signature: `required` (if it is not said), or `optional`, with a key only, as companies sign without a public log. The log of a key's signatures is the one of `public` |
//! | `attestations` | instead of a signature of the image, an attestation of each of these predicate types |
//!
//! Expressions match a whole issuer or subject, and see only what verification has found true. What is signed is a digest,
//! never a tag: that an older signed image comes under a new tag is not prevented by this.
//!
//! Verifying is not done here: see `moorage-signatures`. What it finds is a [`Verdict`].

mod approval;
mod authority;
mod fields;
mod identity;
mod public_key;
#[cfg(test)]
mod tests;
mod verdict;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Digest, FieldError, TagName,
    lists::{GlobList, ListError},
    mode::Mode,
    sent::Sent,
};
use fields::Fields;

pub use approval::Approval;
pub use authority::{Authority, Format, KeySource, KmsKey, Signer, TransparencyLog, TrustRootId};
pub use identity::Identity;
pub use public_key::{KeyAlgorithm, PublicKey, PublicKeyError};
pub use verdict::{Refusal, Verdict, Verified};

/// The predicate type of what cosign says of an image that it signs: nothing more than that.
pub const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";
/// The field's name.
const FIELD: &str = "signature_policy";

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct SignaturePolicy(Sent<Policy>);

#[derive(Debug, Clone)]
struct Policy {
    mode: Mode,
    require: Require,
    authorities: Vec<Authority>,
    tags: Option<GlobList>,
    no_rollback: bool,
    judge_served: bool,
}

/// How many of the authorities have to have signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Require {
    /// One of them.
    #[default]
    Any,
    /// Each of them.
    All,
}

impl SignaturePolicy {
    /// Parses what was sent.
    pub fn parse(given: Value) -> Result<Self, FieldError> {
        let has_no_tags = given.get("tags").and_then(Value::as_array).is_some_and(Vec::is_empty);
        let sent = Sent::parse(FIELD, given, |fields: Fields| {
            if has_no_tags {
                return Err(FieldError::at(FIELD, "tags", &ListError::Empty));
            }
            let (mode, require) = (fields.mode, fields.require.unwrap_or_default());
            let authorities = fields::authorities(mode, fields.authorities.unwrap_or_default())
                .map_err(|(path, reason)| FieldError::at(FIELD, &path, &reason))?;
            let (no_rollback, judge_served) =
                (fields.no_rollback.unwrap_or_default(), fields.judge_served.unwrap_or_default());
            Ok(Policy { mode, require, authorities, tags: fields.tags, no_rollback, judge_served })
        })?;
        Ok(Self(sent))
    }

    /// What becomes of what is not signed as it should be.
    pub fn mode(&self) -> Mode {
        self.0.parsed.mode
    }

    /// How many of the authorities have to have signed.
    pub fn require(&self) -> Require {
        self.0.parsed.require
    }

    /// Who may sign: nobody only where nobody asks.
    pub fn authorities(&self) -> &[Authority] {
        &self.0.parsed.authorities
    }

    /// Whether one of the authorities may sign in a format.
    pub fn takes(&self, format: Format) -> bool {
        self.authorities().iter().any(|authority| authority.takes(format))
    }

    /// Whether one of the authorities is asked for what has this predicate type: signatures have cosign's own.
    pub fn asks_for(&self, predicate: &str) -> bool {
        let asks = |authority: &Authority| match &authority.attestations[..] {
            [] => predicate == SIGNED,
            some => some.iter().any(|it| it == predicate),
        };
        self.authorities().iter().any(asks)
    }

    /// Whether what is served already is judged, too.
    pub fn judges_served(&self) -> bool {
        self.0.parsed.judge_served
    }

    /// What it asks for, however strictly: what was approved by it need not be again.
    pub fn id(&self) -> Digest {
        let mut asked = self.0.given().clone();
        if let Value::Object(fields) = &mut asked {
            fields.remove("mode");
        }
        Digest::sha256(asked.to_string().as_bytes())
    }

    /// What is found of an image that is to take the place of one that was approved `before`: refused, too, if it was signed
    /// before that, and must not be.
    pub fn ruled(&self, before: Option<&Approval>, verdict: Verdict) -> Verdict {
        let Verdict::Verified { by } = verdict else { return verdict };
        match self.refuses_rollback(before, &by) {
            Some(reason) => Verdict::Refused { reason, detail: reason.message().to_owned() },
            None => Verdict::Verified { by },
        }
    }

    /// Why an image may not take the place of the one that a tag points to.
    fn refuses_rollback(&self, before: Option<&Approval>, by: &[Verified]) -> Option<Refusal> {
        let before = before.filter(|_| self.0.parsed.no_rollback)?;
        match approval::time(by) {
            None => Some(Refusal::NoTime),
            Some(time) => before.time().filter(|before| time < *before).map(|_| Refusal::OlderSignature),
        }
    }

    /// Whether a tag is judged.
    pub fn judges(&self, tag: &TagName) -> bool {
        let Policy { mode, tags, .. } = &self.0.parsed;
        *mode != Mode::Off && tags.as_ref().is_none_or(|globs| globs.is_match(tag))
    }
}

impl TryFrom<Value> for SignaturePolicy {
    type Error = FieldError;

    fn try_from(given: Value) -> Result<Self, FieldError> {
        Self::parse(given)
    }
}
