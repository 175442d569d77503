//! Failures, and the one table that turns them into the distribution-spec's answers.

use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use moorage_domain::{Digest, RepositoryName, ServiceError, ServiceErrorKind};
use moorage_runtime::StackSecretError;
use moorage_state::StateError;
use moorage_storage::StorageError;
use serde_json::{Value, json};

use crate::{
    access::scope::Scope,
    answer::{Answer, REGISTRY_CHALLENGE},
};

/// Seconds after which a client should repeat what came when a service had too much to do.
const LATER: &str = "5";

/// Why a request fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PullError {
    /// Nobody is known, or not enough. 401.
    #[error("authentication required")]
    Unauthorized {
        /// What the client should ask a token for.
        scope: Option<Scope>,
        /// What is wrong with the token that it showed (RFC 6750, 3.1).
        problem: Option<&'static str>,
    },
    /// Nobody is known, and something would change. 401.
    #[error("authentication required")]
    PushUnauthorized {
        /// Of what.
        repository: RepositoryName,
        /// What is wrong with the token that the client showed.
        problem: Option<&'static str>,
    },
    /// User name or password are wrong, where tokens are made. 401.
    #[error("user name or password are wrong")]
    LoginFailed,
    /// The caller is known and may not. 403, whether or not there is such a repository.
    #[error("requested access to the resource is denied")]
    Denied(RepositoryName),
    /// There is no such repository, or no mirror of one, that the caller may read. 404; of repositories only for those who may see
    /// all.
    #[error("repository name not known to registry")]
    NameUnknown(String),
    /// No name that a repository here could have. 400.
    #[error("invalid repository name: a repository here has a namespace and a name")]
    NameInvalid(String),
    /// No such manifest in the repository. 404.
    #[error("manifest unknown to registry")]
    ManifestUnknown(String),
    /// No such blob in the repository. 404.
    #[error("blob unknown to registry")]
    BlobUnknown(Digest),
    /// Not a digest, or of an algorithm that nobody can check. 400.
    #[error("provided digest is not valid")]
    DigestInvalid(String),
    /// `n` or `last` cannot be one. 400.
    #[error("invalid page: {0}")]
    PageInvalid(&'static str),
    /// Everything but reading. 405.
    #[error("this is a read-only mirror")]
    ReadOnly,
    /// There is nothing at this path. 404.
    #[error("there is no such endpoint")]
    NoEndpoint,
    /// Stored bytes that no client could make sense of. 500.
    #[error("the manifest cannot be served")]
    Unservable(Digest),
    /// A fault of ours, which the log tells. 500.
    #[error("the registry failed because of a fault of its own, whose log says more")]
    Panicked,
    /// A service that we need failed or refused; what it said is for the log only. 500 with the service's code if only the
    /// operator of the stack can mend that, else 503.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The same of a secret of the stack.
    #[error(transparent)]
    Secret(#[from] StackSecretError),
    /// What we need was not to be had, or not as it should be. 503; the reason is for the log only.
    #[error("{0}")]
    Unavailable(String),
}

impl PullError {
    /// Of which kind it is if it is the failure of a service, and the service's code.
    fn failure(&self) -> Option<(ServiceErrorKind, Option<&str>)> {
        match self {
            Self::Service(error) => Some((error.kind(), error.code())),
            Self::Secret(error) => Some((error.kind(), error.code())),
            Self::Unavailable(_) => Some((ServiceErrorKind::Unavailable, None)),
            _ => None,
        }
    }

    /// Whether a repository lacks what is asked for, which another one may have.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::ManifestUnknown(_) | Self::BlobUnknown(_))
    }

    /// Writes to the log what is nobody's fault outside.
    pub(crate) fn log(&self) {
        match (self.failure(), self) {
            (Some((kind, code)), error) if kind.is_operators() => {
                tracing::error!(code, %error, "a service that is needed refuses this function");
            }
            (Some((_, code)), error) => tracing::error!(code, %error, "a service that is needed failed"),
            (None, Self::Unservable(digest)) => tracing::error!(%digest, "the bucket holds what no sync brings"),
            _ => {}
        }
    }

    /// The answer. `url` is the registry's own, for the challenge.
    pub(crate) fn answer(&self, url: &str) -> Answer {
        let (status, code, detail) = match self {
            Self::Unauthorized { .. } | Self::PushUnauthorized { .. } | Self::LoginFailed => {
                (401, "UNAUTHORIZED", Value::Null)
            }
            Self::Denied(repository) => (403, "DENIED", json!({ "name": repository })),
            Self::NameUnknown(repository) => (404, "NAME_UNKNOWN", json!({ "name": repository })),
            Self::NameInvalid(name) => (400, "NAME_INVALID", json!({ "name": name })),
            Self::ManifestUnknown(reference) => (404, "MANIFEST_UNKNOWN", json!({ "reference": reference })),
            Self::BlobUnknown(digest) => (404, "BLOB_UNKNOWN", json!({ "digest": digest })),
            Self::DigestInvalid(text) => (400, "DIGEST_INVALID", json!({ "digest": text })),
            Self::PageInvalid(_) => (400, "PAGINATION_NUMBER_INVALID", Value::Null),
            Self::ReadOnly => (405, "UNSUPPORTED", Value::Null),
            Self::NoEndpoint => (404, "UNSUPPORTED", Value::Null),
            Self::Unservable(digest) => (500, "UNKNOWN", json!({ "digest": digest })),
            Self::Panicked => (500, "UNKNOWN", Value::Null),
            Self::Service(_) | Self::Secret(_) | Self::Unavailable(_) => match self.failure() {
                Some((kind, Some(code))) if kind.is_operators() => (500, "UNKNOWN", json!({ "code": code })),
                Some((kind, None)) if kind.is_operators() => (500, "UNKNOWN", Value::Null),
                Some((ServiceErrorKind::Throttled, code)) => (503, "UNAVAILABLE", json!({ "code": code })),
                _ => (503, "UNAVAILABLE", Value::Null),
            },
        };
        let message = match self.failure() {
            Some((kind, _)) if kind.is_operators() => {
                "a service that is needed refuses this registry; only its operator can mend that".to_owned()
            }
            Some((ServiceErrorKind::Throttled, _)) => {
                "a service that is needed has too much to do; try again".to_owned()
            }
            Some(_) => "a service that is needed did not answer; try again".to_owned(),
            None => self.to_string(),
        };
        let body = json!({"errors": [{"code": code, "message": message, "detail": detail}]});
        let answer = Answer::json(status, &body);
        match self {
            Self::Unauthorized { scope, problem } => {
                challenge(answer, &bearer(url, scope.as_ref().map(ToString::to_string), *problem))
            }
            Self::PushUnauthorized { repository, problem } => {
                // What other registries ask for here; their tokens are for what the client may of it.
                challenge(answer, &bearer(url, Some(format!("repository:{repository}:pull,push")), *problem))
            }
            Self::LoginFailed => challenge(answer, &format!(r#"Basic realm="{url}/v2/token""#)),
            Self::ReadOnly => answer.with(ALLOW, "GET, HEAD"),
            _ if matches!(self.failure(), Some((ServiceErrorKind::Throttled, _))) => answer.with(RETRY_AFTER, LATER),
            _ => answer,
        }
    }
}

/// API Gateway may rename the header of this name in what a function answers; it maps the other one back to it.
fn challenge(answer: Answer, challenge: &str) -> Answer {
    answer.with(WWW_AUTHENTICATE, challenge).with(REGISTRY_CHALLENGE, challenge)
}

fn bearer(url: &str, scope: Option<String>, problem: Option<&'static str>) -> String {
    let service = service(url);
    let scope = scope.map(|scope| format!(r#",scope="{scope}""#)).unwrap_or_default();
    let problem = problem.map(|problem| format!(r#",error="{problem}""#)).unwrap_or_default();
    format!(r#"Bearer realm="{url}/v2/token",service="{service}"{scope}{problem}"#)
}

/// The name under which clients ask for tokens: host and port.
pub(crate) fn service(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest.split('/').next().unwrap_or(rest))
}

impl From<StateError> for PullError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Service(error) => Self::Service(error),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<StorageError> for PullError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Service(error) => Self::Service(error),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_the_specs_form() {
        let name: RepositoryName = "a/b".parse().unwrap();
        let digest = Digest::sha256(b"");
        let unauthorized = || PullError::Unauthorized { scope: None, problem: None };
        for (error, status, code) in [
            (unauthorized(), 401, "UNAUTHORIZED"),
            (PullError::PushUnauthorized { repository: name.clone(), problem: None }, 401, "UNAUTHORIZED"),
            (PullError::LoginFailed, 401, "UNAUTHORIZED"),
            (PullError::Denied(name.clone()), 403, "DENIED"),
            (PullError::NameUnknown("a/b".into()), 404, "NAME_UNKNOWN"),
            (PullError::NameInvalid("x".into()), 400, "NAME_INVALID"),
            (PullError::ManifestUnknown("v1".into()), 404, "MANIFEST_UNKNOWN"),
            (PullError::BlobUnknown(digest.clone()), 404, "BLOB_UNKNOWN"),
            (PullError::DigestInvalid("x".into()), 400, "DIGEST_INVALID"),
            (PullError::PageInvalid("x"), 400, "PAGINATION_NUMBER_INVALID"),
            (PullError::ReadOnly, 405, "UNSUPPORTED"),
            (PullError::NoEndpoint, 404, "UNSUPPORTED"),
            (PullError::Unservable(digest), 500, "UNKNOWN"),
            (PullError::Panicked, 500, "UNKNOWN"),
            (PullError::Unavailable("secret".into()), 503, "UNAVAILABLE"),
            (PullError::Secret(StackSecretError::Empty), 500, "UNKNOWN"),
        ] {
            let response = error.answer("https://h").into_response();
            assert_eq!(response.status(), status, "{error}");
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body["errors"][0]["code"], code);
            assert!(!body.to_string().contains("secret"), "reasons of failing services stay in the log");
            assert!(
                response.headers()["strict-transport-security"].to_str().unwrap().starts_with("max-age="),
                "{error}"
            );
            assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{error}");
            assert_eq!(response.headers()["cache-control"], "no-store", "{error}");
            let challenged = response.headers().contains_key(WWW_AUTHENTICATE);
            assert_eq!(challenged, status == 401);
            assert_eq!(response.headers().get(WWW_AUTHENTICATE), response.headers().get(REGISTRY_CHALLENGE));
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("arn of the table")]
    struct GetItemError;

    #[test]
    fn what_only_the_operator_can_mend_is_no_outage() {
        for (code, status, expected, told) in [
            ("AccessDeniedException", 500, "UNKNOWN", true),
            ("ResourceNotFoundException", 500, "UNKNOWN", true),
            ("ThrottlingException", 503, "UNAVAILABLE", true),
            ("InternalServerError", 503, "UNAVAILABLE", false),
        ] {
            let failed = || ServiceError::new("DynamoDB", Some(code.to_owned()), Some(400), GetItemError);
            for error in [
                PullError::from(StateError::from(failed())),
                PullError::from(StorageError::from(failed())),
                PullError::from(StackSecretError::from(failed())),
            ] {
                assert!(error.to_string().contains(code), "the log has it");
                let response = error.answer("https://h").into_response();
                let body: Value = serde_json::from_slice(response.body()).unwrap();
                assert_eq!((response.status().as_u16(), &body["errors"][0]["code"]), (status, &expected.into()));
                assert_eq!(body["errors"][0]["detail"]["code"] == code, told, "{body}");
                assert!(!body.to_string().contains("arn"), "reasons stay in the log");
                let is_later = code == "ThrottlingException";
                assert_eq!(response.headers().contains_key(RETRY_AFTER), is_later, "{code}");
            }
        }
    }

    #[test]
    fn challenges_name_realm_service_and_scope() {
        let scope = Scope::Pull("a/b".parse().unwrap());
        assert_eq!(
            bearer("http://localhost:8080", Some(scope.to_string()), Some("insufficient_scope")),
            r#"Bearer realm="http://localhost:8080/v2/token",service="localhost:8080",scope="repository:a/b:pull",error="insufficient_scope""#
        );
        assert_eq!(bearer("https://h/x", None, None), r#"Bearer realm="https://h/x/v2/token",service="h""#);
    }
}
