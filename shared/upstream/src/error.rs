//! How an external registry can fail us.

use std::{error::Error, io, iter::successors};

use moorage_domain::{Digest, FailureReason, Timestamp};
use moorage_resolver::NotAllowed;
use url::Url;

use crate::{
    address::display,
    lexer::NoList,
    tls::{Unusable, explained},
};

/// A failure, as a decision: what the caller can do differs by variant. Messages hold neither secrets nor the query of
/// any URL: a redirect's may be a signature.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UpstreamError {
    /// The registry or its token server refused the credentials, or asks for some.
    #[error("{0}")]
    Auth(String),
    /// The registry does not have it.
    #[error("{0} was not found")]
    NotFound(String),
    /// Nothing is found where the registry redirects to: in its storage, at another registry, or at a page to log in at. What
    /// the registry itself has is not known by that.
    #[error("{what} was not found: the registry redirects to {at}, and there is nothing")]
    NotFoundElsewhere {
        /// What was asked for.
        what: String,
        /// Where the redirect leads to.
        at: String,
    },
    /// The registry answers a question for a repository's list by an error that says that it has no such repository. Some
    /// do of a repository that their catalogs list, because nothing but blobs is in it.
    #[error("{0} was not found: the registry has no such repository")]
    UnknownRepository(String),
    /// The registry asks to be left alone for longer than we wait, or its allowance is used up.
    #[error("the registry limits the rate of requests, until {until}")]
    RateLimited {
        /// When to come again.
        until: Timestamp,
    },
    /// No answer in time.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// No connection, or one that broke.
    #[error("the connection to {url} failed: {message}")]
    Connection {
        /// Where to.
        url: String,
        /// What the system says.
        message: String,
    },
    /// The certificate was not accepted, or the handshake failed.
    #[error("TLS with {url} failed: {message}")]
    Tls {
        /// With whom.
        url: String,
        /// What is wrong.
        message: String,
    },
    /// Certificates of the mirror's own have expired. They were valid when they were set.
    #[error("tls.{0} has expired: send a new one, or null for none")]
    Expired(&'static str),
    /// The host, or an address that it resolved to, may not be spoken to.
    #[error("{0} is not an allowed address")]
    NotAllowed(String),
    /// The registry failed, or answered with an unexpected status.
    #[error("{url} answered with status {status}{said}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// Of which request.
        url: String,
        /// What the registry says of it, as the end of a sentence: its code and its message, if there are any.
        said: String,
    },
    /// Where the registry redirects to, another host, failed or refused: its answers are its own, and say nothing of the
    /// registry's credentials or limits.
    #[error("the registry redirects to {url}, which answered with status {status}")]
    Storage {
        /// The HTTP status.
        status: u16,
        /// Who answered.
        url: String,
    },
    /// What was answered is not the list that was asked for.
    #[error(
        "{url} answered, but not with {what}: look at what is there; it may be a web page, a page to log in at, or a \
         proxy's, and not the registry"
    )]
    NoList {
        /// Where it was asked for.
        url: String,
        /// What was asked for.
        what: String,
    },
    /// The registry answered what the protocol does not allow.
    #[error("{0}")]
    Protocol(String),
    /// A document or a list is larger than a sync reads.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What it is.
        what: String,
        /// How large it may be.
        limit: usize,
    },
    /// A list has more entries than a sync can hold.
    #[error("{what} has more than {limit} entries, the most that a sync reads")]
    TooMany {
        /// What it is.
        what: String,
        /// How many it may have.
        limit: usize,
    },
    /// A manifest does not have its digest.
    #[error("the registry's {0} does not match its digest")]
    DigestMismatch(Digest),
    /// A blob does not have the length that its descriptor gives.
    #[error("the registry has {actual} bytes of {digest}, but the manifest says {expected}")]
    LengthMismatch {
        /// The blob.
        digest: Digest,
        /// The descriptor's length.
        expected: u64,
        /// The registry's length.
        actual: u64,
    },
    /// A blob ended early, again and again.
    #[error("{digest} ended after {received} of {size} bytes, repeatedly")]
    Truncated {
        /// The blob.
        digest: Digest,
        /// Bytes that came.
        received: u64,
        /// The descriptor's length.
        size: u64,
    },
    /// What came of a part of a blob is not that part: the whole of it has to be fetched.
    #[error("{0} sends no parts of it that are of use")]
    NoPart(String),
    /// The mirror's settings make no client: a malformed proxy, or certificates that are none.
    #[error("the mirror's settings of proxies or TLS are not usable")]
    Settings,
}

impl UpstreamError {
    /// The class of the failure, in Quay's vocabulary where it has a word.
    pub fn reason(&self) -> FailureReason {
        match self {
            Self::Auth(_) => FailureReason::AuthFailed,
            Self::NotFound(_) | Self::NotFoundElsewhere { .. } | Self::UnknownRepository(_) => FailureReason::NotFound,
            Self::RateLimited { .. } => FailureReason::RateLimited,
            Self::Timeout(_) => FailureReason::NetworkTimeout,
            Self::Connection { .. } | Self::Truncated { .. } => FailureReason::ConnectionError,
            Self::Tls { .. } | Self::Expired(_) => FailureReason::TlsError,
            Self::NotAllowed(_) => FailureReason::InvalidSourceRegistry,
            Self::Status { .. } | Self::Storage { .. } | Self::NoList { .. } | Self::Protocol(_) | Self::NoPart(_) => {
                FailureReason::RegistryError
            }
            Self::TooLarge { .. } | Self::TooMany { .. } => FailureReason::ContentRefused,
            Self::DigestMismatch(_) | Self::LengthMismatch { .. } => FailureReason::DigestMismatch,
            Self::Settings => FailureReason::UnknownError,
        }
    }

    /// That what a URL answers is not what was asked for.
    pub(crate) fn no_list(url: &Url, what: &str) -> Self {
        Self::NoList { url: display(url), what: what.to_owned() }
    }

    /// Whether the same exchange may well succeed in a moment.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Connection { .. })
    }

    /// Whether it may be for the way in which something was asked, so that another way tells more.
    pub(crate) fn may_be_of_the_way(&self) -> bool {
        self.is_transient() || matches!(self, Self::Auth(_))
    }
}

/// Why a list is not read on, before it is known where it comes from.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is none.
    NoList,
    /// There is too much of it.
    Failed(UpstreamError),
}

impl From<NoList> for Unread {
    fn from(_: NoList) -> Self {
        Self::NoList
    }
}

impl From<Unusable> for UpstreamError {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Unreadable => Self::Settings,
            Unusable::Expired(setting) => Self::Expired(setting),
        }
    }
}

impl From<UpstreamError> for Unread {
    fn from(error: UpstreamError) -> Self {
        Self::Failed(error)
    }
}

/// Whether a server asks to be spoken to by HTTP/1.1 (RFC 9113, 7).
pub(crate) fn wants_http1(error: &reqwest::Error) -> bool {
    let first: &(dyn Error + 'static) = error;
    let chain = successors(Some(first), |&error| error.source());
    let mut reasons = chain.filter_map(|error| error.downcast_ref::<h2::Error>()?.reason());
    reasons.any(|reason| reason == h2::Reason::HTTP_1_1_REQUIRED)
}

/// Sorts a transport failure by the types in its chain.
pub(crate) fn transport_error(error: &reqwest::Error, url: &str) -> UpstreamError {
    let url = url.to_owned();
    let mut message = String::from("the connection broke");
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        // An I/O error's own source skips what it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let wrapped: Option<&(dyn Error + 'static)> = wrapped.map(|error| error as _);
        for error in [Some(error), wrapped].into_iter().flatten() {
            if let Some(NotAllowed(host)) = error.downcast_ref() {
                return UpstreamError::NotAllowed(host.clone());
            }
            if let Some(error) = error.downcast_ref::<rustls::Error>() {
                return UpstreamError::Tls { url, message: explained(error) };
            }
        }
        // What breaks a connection of HTTP/2 breaks all of its streams, which are told of it in its words.
        let of_http2 = error.downcast_ref::<h2::Error>();
        if let Some(reason) = of_http2.and_then(h2::Error::reason) {
            // The rest of what a server may say of it is its own text.
            message = format!("by HTTP/2: {reason}");
        }
        if let Some(error) = error.downcast_ref::<io::Error>().or_else(|| of_http2?.get_io()) {
            if error.kind() == io::ErrorKind::TimedOut {
                return UpstreamError::Timeout(url);
            }
            message = error.to_string();
        }
        next = wrapped.or_else(|| error.source());
    }
    if error.is_timeout() { UpstreamError::Timeout(url) } else { UpstreamError::Connection { url, message } }
}
