//! Why a sync, or one tag of it, failed.

use std::error::Error;

use serde::{Deserialize, Serialize};

use crate::{ServiceError, ServiceErrorKind, Warning};

/// The longest message that is kept of one failure, in bytes: some hundreds of outcomes share an item of the table.
const MESSAGE_LENGTH: usize = 400;

/// The classes of failure. The first nine are Quay's (`last_error_reason` of its metrics); the others are ours, for
/// what Quay reports as `unknown_error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The registry refused the credentials, or asks for some.
    AuthFailed,
    /// No answer in time.
    NetworkTimeout,
    /// No connection, or one that broke.
    ConnectionError,
    /// The registry does not have the repository, tag, manifest or blob.
    NotFound,
    /// The registry's certificate was not accepted, or the handshake failed.
    TlsError,
    /// The stored credentials could not be decrypted.
    DecryptionFailed,
    /// Another sync of the repository took over, or it was cancelled.
    Preempted,
    /// The reference leads to an address that is not allowed.
    InvalidSourceRegistry,
    /// None of the others.
    UnknownError,
    /// The registry asks to be left alone for a while (429).
    RateLimited,
    /// Content did not match its digest or size.
    DigestMismatch,
    /// Content that a stock registry could not serve.
    ContentRefused,
    /// The registry answered something that the distribution-spec does not allow, or failed itself (5xx).
    RegistryError,
    /// S3, DynamoDB or KMS failed.
    StorageError,
    /// The namespace has as much as the deployment lets it have.
    QuotaExceeded,
    /// An image is not signed as the mirror's `signature_policy` asks.
    SignatureRefused,
    /// What tags are to be turned back to is not remembered, or not here any more.
    ContentGone,
}

impl FailureReason {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthFailed => "auth_failed",
            Self::NetworkTimeout => "network_timeout",
            Self::ConnectionError => "connection_error",
            Self::NotFound => "not_found",
            Self::TlsError => "tls_error",
            Self::DecryptionFailed => "decryption_failed",
            Self::Preempted => "preempted",
            Self::InvalidSourceRegistry => "invalid_source_registry",
            Self::UnknownError => "unknown_error",
            Self::RateLimited => "rate_limited",
            Self::DigestMismatch => "digest_mismatch",
            Self::ContentRefused => "content_refused",
            Self::RegistryError => "registry_error",
            Self::StorageError => "storage_error",
            Self::QuotaExceeded => "quota_exceeded",
            Self::SignatureRefused => "signature_refused",
            Self::ContentGone => "content_gone",
        }
    }

    /// The reason in Quay's vocabulary, for metrics that Quay's dashboards read.
    #[must_use]
    pub const fn quay(self) -> Self {
        match self {
            Self::RateLimited
            | Self::DigestMismatch
            | Self::ContentRefused
            | Self::RegistryError
            | Self::StorageError
            | Self::QuotaExceeded
            | Self::SignatureRefused
            | Self::ContentGone => Self::UnknownError,
            other => other,
        }
    }

    /// Whether it may pass by itself within minutes. A registry lacks for a moment what was just pushed there; one that asks to
    /// be left alone is.
    pub const fn is_passing(self) -> bool {
        match self {
            Self::NetworkTimeout
            | Self::ConnectionError
            | Self::NotFound
            | Self::DigestMismatch
            | Self::RegistryError
            | Self::StorageError => true,
            Self::AuthFailed
            | Self::TlsError
            | Self::DecryptionFailed
            | Self::Preempted
            | Self::InvalidSourceRegistry
            | Self::UnknownError
            | Self::RateLimited
            | Self::ContentRefused
            | Self::QuotaExceeded
            | Self::SignatureRefused
            | Self::ContentGone => false,
        }
    }

    /// What the owner of the mirror can do about it where it failed a tag: there is a repository then, and a list of tags
    /// that could be read.
    pub const fn advice_for_tag(self) -> &'static str {
        match self {
            Self::AuthFailed => {
                "the registry lists the tag and refuses its image: have it let the mirror's account pull that, or exclude \
                 the tag; if it refuses every tag, check external_registry_username and external_registry_password"
            }
            Self::NotFound => {
                "the registry lacks the tag, or the part of its image that the message names: push it there again, or \
                 exclude the tag"
            }
            other => other.advice(),
        }
    }

    /// The same of an organization's mirror that could not find its repositories.
    pub const fn advice_for_organization(self) -> &'static str {
        match self {
            Self::NotFound => {
                "check external_registry_url and external_namespace, and whether the credentials let it see the namespace"
            }
            Self::ContentRefused => "mirror a namespace with fewer repositories, or single repositories",
            Self::Preempted => "see to the repositories that the message names, and ask for it again",
            Self::QuotaExceeded => {
                "let repository_filters select fewer repositories, or delete what is not needed; the parameter that the \
                 message names allows more"
            }
            other => other.advice(),
        }
    }

    /// What the owner of the mirror can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::AuthFailed => {
                "check external_registry_username and external_registry_password, or what the message says of credentials"
            }
            Self::NetworkTimeout | Self::ConnectionError => {
                "check that the registry is reachable; the sync is tried again"
            }
            Self::NotFound => {
                "if it is the repository that is missing, check external_reference; a manifest or a blob has to be pushed \
                 there again, or its tag excluded"
            }
            Self::TlsError => {
                "check the registry's certificate: ca_bundle is for an authority of its own, client_certificate for one that \
                 wants to know who asks; or turn verify_tls off if you trust the network"
            }
            Self::DecryptionFailed => "set the mirror's credentials again",
            Self::Preempted => "nothing: another sync runs, or this one was cancelled",
            Self::InvalidSourceRegistry => "use a public registry, or add its host to SSRF_ALLOWED_HOSTS",
            Self::RateLimited => "wait, sync less often, or use credentials with a higher limit",
            Self::DigestMismatch => "the registry's copy is damaged; the next sync tries again",
            Self::ContentRefused => "exclude the tag, or have its image rebuilt in a current format",
            Self::RegistryError => "look at the registry; the sync is tried again",
            Self::QuotaExceeded => {
                "select fewer tags or delete what is not needed; the parameter that the message names allows more"
            }
            Self::SignatureRefused => {
                "the message says what was found: have the image signed by one of the authorities of signature_policy, or \
                 change that; what was served before still is"
            }
            Self::ContentGone => {
                "turn back to a later moment, or only the tags whose content is here: a dry run names the others"
            }
            Self::StorageError | Self::UnknownError => "look at the sync function's log; the sync is tried again",
        }
    }
}

/// A classified failure, with a message for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its class.
    pub reason: FailureReason,
    /// What happened, in one line, free of secrets.
    pub message: String,
    /// The code of AWS's answer, if it is a service's: [`ServiceError::portable_code`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the service said. It may name what is not the mirror's owner's to know, as an ARN: it is for the log of the
    /// function that saw it, and neither stored nor handed on.
    #[serde(skip)]
    said: Option<String>,
}

impl Failure {
    /// One that is not a service's.
    pub fn new(reason: FailureReason, message: String) -> Self {
        Self { reason, message, code: None, said: None }
    }

    /// By what it is. The message is what the error says, as much of it as is kept.
    pub fn of(reason: FailureReason, error: &dyn Error) -> Self {
        Self::new(reason, error.to_string()).cut()
    }

    /// With the code of the service that failed, if one did. The message is then which service failed at what, and what it
    /// said is for the log alone.
    #[must_use]
    pub fn caused_by(self, service: Option<&ServiceError>) -> Self {
        let Some(service) = service else { return self };
        let code = service.portable_code().map(str::to_owned);
        Self { message: service.summary(), code, said: Some(service.to_string()), ..self }
    }

    /// What the log says of it: all that is known.
    pub fn logged(&self) -> &str {
        self.said.as_deref().unwrap_or(&self.message)
    }

    /// Whether a service refuses what only the operator of the stack can allow.
    pub fn is_operators(&self) -> bool {
        ServiceErrorKind::of(self.code.as_deref(), None).is_operators()
    }

    /// That a program hit a fault of its own. What a panic says stays out of it: that may be anything.
    pub fn fault() -> Self {
        let message = "the sync hit a fault of ours: please report it, with the sync function's log".to_owned();
        Self::new(FailureReason::UnknownError, message)
    }

    /// With what a registry that refuses access was not told of who asks.
    #[must_use]
    pub fn explained_by(self, untold: Option<Warning>) -> Self {
        match untold {
            Some(warning) if self.reason == FailureReason::AuthFailed => {
                Self { message: format!("{}; {}", self.message, warning.message()), ..self }
            }
            _ => self,
        }
    }

    /// With as much of its message as is kept.
    #[must_use]
    pub fn cut(mut self) -> Self {
        let message = &mut self.message;
        if message.len() > MESSAGE_LENGTH {
            let end = (0..=MESSAGE_LENGTH).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
            message.truncate(end);
            message.push('…');
            message.shrink_to_fit();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_is_for_the_log_alone() {
        #[derive(Debug, thiserror::Error)]
        #[error("User: arn:aws:sts::1:assumed-role/sync is not authorized to perform: dynamodb:PutItem")]
        struct PutItemError;

        let error = ServiceError::new("DynamoDB", Some("AccessDeniedException".into()), Some(400), PutItemError);
        let failure = Failure::of(FailureReason::StorageError, &error).caused_by(Some(&error));
        assert_eq!(failure.message, "DynamoDB denies access to PutItem (AccessDeniedException)");
        assert_eq!(failure.logged(), error.to_string());
        let stored = serde_json::to_string(&failure).unwrap();
        assert!(!stored.contains("arn:"), "{stored}");
        let read: Failure = serde_json::from_str(&stored).unwrap();
        assert_eq!((read.logged(), &read.code), (failure.message.as_str(), &failure.code));
        let other = Failure::new(FailureReason::NotFound, "gone".to_owned()).caused_by(None);
        assert_eq!((other.message.as_str(), other.logged()), ("gone", "gone"));
    }

    #[test]
    fn messages_are_cut_between_characters() {
        let failure = |message: String| Failure::new(FailureReason::NotFound, message);
        assert_eq!(failure("short".to_owned()).cut(), failure("short".to_owned()));
        let long = failure(format!("x{}", "é".repeat(MESSAGE_LENGTH))).cut().message;
        assert!(long.len() <= MESSAGE_LENGTH + '…'.len_utf8() && long.ends_with("é…"), "{long}");
    }
}
