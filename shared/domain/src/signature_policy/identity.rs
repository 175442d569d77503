//! Who signs without a key of their own: what an identity provider says of them.

use serde::Deserialize;

use crate::pattern::Pattern;

/// An issuer and a subject, each exactly or by an expression that matches all of it.
#[derive(Debug, Clone)]
pub struct Identity {
    issuer: Expected,
    subject: Expected,
}

/// What a text has to be.
#[derive(Debug, Clone)]
enum Expected {
    Exactly(String),
    Matched(Pattern),
}

/// The fields of an identity.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityFields {
    issuer: Option<String>,
    issuer_regex: Option<Pattern>,
    subject: Option<String>,
    subject_regex: Option<Pattern>,
}

/// Why fields are no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum IdentityError {
    #[error("takes `issuer` or `issuer_regex`, one of them: anybody's provider can name any subject")]
    Issuer,
    #[error("takes `subject` or `subject_regex`, one of them: anybody can have a subject with a public provider")]
    Subject,
}

impl IdentityFields {
    /// The texts that are compared as they are.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let texts = [("issuer", &self.issuer), ("subject", &self.subject)];
        texts.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)))
    }
}

impl Identity {
    pub(super) fn new(fields: IdentityFields) -> Result<Self, IdentityError> {
        let issuer = Expected::new(fields.issuer, fields.issuer_regex).ok_or(IdentityError::Issuer)?;
        let subject = Expected::new(fields.subject, fields.subject_regex).ok_or(IdentityError::Subject)?;
        Ok(Self { issuer, subject })
    }

    /// Whether it is the one that a verified certificate names.
    pub fn admits(&self, issuer: &str, subject: &str) -> bool {
        self.issuer.is(issuer) && self.subject.is(subject)
    }
}

impl Expected {
    fn new(exactly: Option<String>, matched: Option<Pattern>) -> Option<Self> {
        match (exactly, matched) {
            (Some(text), None) => Some(Self::Exactly(text)),
            (None, Some(pattern)) => Some(Self::Matched(pattern)),
            _ => None,
        }
    }

    fn is(&self, text: &str) -> bool {
        match self {
            Self::Exactly(expected) => expected == text,
            Self::Matched(pattern) => pattern.is_match(text),
        }
    }
}
