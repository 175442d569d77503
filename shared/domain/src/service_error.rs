//! How a service of the cloud fails: which one, at what, and by which code.

use std::{error::Error, fmt, sync::Arc};

use crate::cause::chain;

/// What kind of failure it is: what whoever operates the stack can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceErrorKind {
    /// The function's role may not do it: a matter of policies, which waiting does not mend.
    AccessDenied,
    /// The service does as much as it may at once: the same works when less goes on.
    Throttled,
    /// The table, bucket, function, key or schedule group that the stack is told to use is not there, or not usable.
    Missing,
    /// It did not answer, or failed by itself; the SDK's own retries are used up.
    Unavailable,
}

/// The codes of services that deny access: by policy, and by credentials that are not good.
const DENIED: [&str; 16] = [
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AuthFailure",
    "DecryptionFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "KMSAccessDeniedException",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
/// The codes of throttled requests. Lambda's has the name of its HTTP status, S3's asks to slow down. Those that end without
/// `Exception`, or in `Error`, are DynamoDB's reasons for cancelling a transaction.
const THROTTLED: [&str; 11] = [
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottledException",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
];
/// The codes of what is not there, or cannot be used: a key that is disabled, or is to be deleted. S3 and Lambda
/// have names of their own for what KMS says to them.
const MISSING: [&str; 12] = [
    "DisabledException",
    "InvalidKeyUsageException",
    "KMS.DisabledException",
    "KMS.KMSInvalidStateException",
    "KMS.NotFoundException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "NoSuchBucket",
    "NotFoundException",
    "ResourceNotFoundException",
    "TableNotFoundException",
];

impl ServiceErrorKind {
    /// By the answer's code; where there is none, as in an answer to HEAD, by its HTTP status. An answer that came is no
    /// outage only if it says so: what no list names is [`Self::Unavailable`].
    pub fn of(code: Option<&str>, status: Option<u16>) -> Self {
        match code {
            Some(code) if DENIED.contains(&code) => Self::AccessDenied,
            Some(code) if THROTTLED.contains(&code) => Self::Throttled,
            Some(code) if MISSING.contains(&code) => Self::Missing,
            _ => match status {
                Some(401 | 403) => Self::AccessDenied,
                Some(429) => Self::Throttled,
                _ => Self::Unavailable,
            },
        }
    }

    /// Whether only the operator of the stack can mend it: waiting does not.
    pub fn is_operators(self) -> bool {
        matches!(self, Self::AccessDenied | Self::Missing)
    }
}

/// A call of a service that failed. It prints the service, the operation, the code, and what the service said; never the raw
/// answer, which may be long.
#[derive(Clone)]
pub struct ServiceError {
    service: &'static str,
    operation: String,
    kind: ServiceErrorKind,
    code: Option<String>,
    source: Arc<dyn Error + Send + Sync>,
}

impl ServiceError {
    /// The failure `error` of a service, with the code and the HTTP status of its answer, if one came.
    pub fn new<E>(service: &'static str, code: Option<String>, status: Option<u16>, error: E) -> Self
    where
        E: Error + Send + Sync + 'static,
    {
        Self {
            service,
            operation: operation::<E>(),
            kind: ServiceErrorKind::of(code.as_deref(), status),
            code,
            source: Arc::new(error),
        }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ServiceErrorKind {
        self.kind
    }

    /// The code in the service's answer, as `AccessDeniedException`; nothing if no answer came, or one without.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The code where nothing but a code is handed on: [`ServiceErrorKind::of`] finds the same kind by it. It is the answer's
    /// own, or, where only the answer's status tells the kind, the code that AWS has for that.
    pub fn portable_code(&self) -> Option<&str> {
        match self.kind {
            kind if ServiceErrorKind::of(self.code(), None) == kind => self.code(),
            ServiceErrorKind::AccessDenied => Some("AccessDenied"),
            ServiceErrorKind::Throttled => Some("ThrottlingException"),
            ServiceErrorKind::Missing | ServiceErrorKind::Unavailable => self.code(),
        }
    }

    /// Which service failed at what, and by which code: all of it but what the service said.
    pub fn summary(&self) -> String {
        let (service, operation) = (self.service, &self.operation);
        let code = self.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
        match self.kind {
            ServiceErrorKind::AccessDenied => format!("{service} denies access to {operation}{code}"),
            ServiceErrorKind::Throttled => format!("{service} throttles {operation}{code}"),
            ServiceErrorKind::Missing => format!("{service} does not have what {operation} names{code}"),
            ServiceErrorKind::Unavailable => format!("{service} failed at {operation}{code}"),
        }
    }

    /// The service's name.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// The operation's name, as `PutItem`.
    pub fn operation(&self) -> &str {
        &self.operation
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.summary(), chain(&*self.source))
    }
}

impl fmt::Debug for ServiceError {
    /// As it is printed: the source's own form has the raw answer in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// The operation that an error is of: the SDK names an operation's error type after it, as `PutItemError`, and wraps it.
fn operation<E>() -> String {
    let name = std::any::type_name::<E>();
    let inner = name.split(['<', ',']).nth(1).unwrap_or(name);
    let inner = inner.trim_end_matches('>').rsplit("::").next().unwrap_or_default();
    inner.strip_suffix("Error").filter(|name| !name.is_empty()).unwrap_or(inner).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("service error")]
    struct Wrapped<E: Error + 'static>(#[source] E);

    #[derive(Debug, thiserror::Error)]
    #[error("no identity-based policy allows the action")]
    struct PutItemError;

    #[test]
    fn an_error_says_what_was_refused_and_why() {
        let error =
            ServiceError::new("DynamoDB", Some("AccessDeniedException".into()), Some(400), Wrapped(PutItemError));
        let expected = "DynamoDB denies access to PutItem (AccessDeniedException): service error: \
                        no identity-based policy allows the action";
        assert_eq!((error.to_string(), format!("{error:?}")), (expected.to_owned(), expected.to_owned()));
        assert_eq!(chain(&error), expected, "the causes are not said twice");
        assert!(error.source().unwrap().is::<Wrapped<PutItemError>>());
        assert_eq!((error.operation(), error.code()), ("PutItem", Some("AccessDeniedException")));
        let error = ServiceError::new("S3", None, None, PutItemError);
        assert_eq!((error.operation(), error.kind()), ("PutItem", ServiceErrorKind::Unavailable));
    }

    #[test]
    fn codes_and_statuses_have_kinds() {
        use ServiceErrorKind::{AccessDenied, Missing, Throttled, Unavailable};
        for (code, status, kind) in [
            (Some("AccessDenied"), Some(403), AccessDenied),
            (Some("ThrottlingException"), Some(400), Throttled),
            (Some("SlowDown"), Some(503), Throttled),
            (Some("NoSuchBucket"), Some(404), Missing),
            (Some("ResourceNotFoundException"), Some(400), Missing),
            (Some("InternalServerError"), Some(500), Unavailable),
            (Some("KMSAccessDeniedException"), Some(502), AccessDenied),
            (Some("ThrottlingError"), Some(400), Throttled),
            (Some("KMSDisabledException"), Some(502), Missing),
            (Some("KMSNotFoundException"), Some(502), Missing),
            (Some("KMS.DisabledException"), Some(400), Missing),
            (Some("KMS.NotFoundException"), Some(400), Missing),
            (Some("KMS.KMSInvalidStateException"), Some(400), Missing),
            (Some("NewKindOfRefusal"), Some(403), AccessDenied),
            (None, Some(403), AccessDenied),
            (None, Some(404), Unavailable),
            (None, None, Unavailable),
        ] {
            assert_eq!(ServiceErrorKind::of(code, status), kind, "{code:?} {status:?}");
            let error = ServiceError::new("S3", code.map(str::to_owned), status, PutItemError);
            assert_eq!(ServiceErrorKind::of(error.portable_code(), None), kind, "{code:?} {status:?}");
            assert_eq!(kind.is_operators(), matches!(kind, AccessDenied | Missing));
        }
    }
}
