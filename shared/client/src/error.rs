//! Why a call fails.

use crate::provider::ProviderError;

/// Why a call fails. No message has the token or a body that was sent.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none that may be called.
    #[error("the address of the API is not right: {why}")]
    Address {
        /// What is wrong with it.
        why: String,
    },
    /// A path that is not below the API's: a fault of the caller.
    #[error("{path} is no path of the API")]
    Path {
        /// Its beginning.
        path: String,
    },
    /// The token has characters that no token has.
    #[error("the token is not one: it has blanks or characters that are not printable")]
    Token,
    /// No client could be made, as the machine's certificates cannot be read.
    #[error("connections cannot be made: {0}")]
    Setup(#[source] reqwest::Error),
    /// No connection, or it was lost, or it took too long.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// The API's host.
        host: String,
        /// What went wrong, with its causes.
        why: String,
        /// Whether the call cannot have arrived.
        is_unsent: bool,
    },
    /// 401.
    #[error("{}", unknown(message.as_deref()))]
    Unauthorized {
        /// Why, if the API says so.
        message: Option<String>,
    },
    /// A sign-in that its provider does not renew.
    #[error("the sign-in has ended: {why}")]
    SignInEnded {
        /// By what.
        why: String,
    },
    /// A sign-in that could not be renewed now.
    #[error("the sign-in cannot be renewed: {0}")]
    SignIn(#[source] ProviderError),
    /// A sign-in that cannot be read, or kept.
    #[error("{why}")]
    Stored {
        /// Why not.
        why: String,
    },
    /// 403.
    #[error("the token does not go so far: {message}")]
    Forbidden {
        /// What the API says.
        message: String,
    },
    /// 404.
    #[error("{}", missing(path, message.as_deref()))]
    NotFound {
        /// What was called.
        path: String,
        /// What the API says, if that is more than that it is not there.
        message: Option<String>,
    },
    /// Another status that is no success.
    #[error("{message} ({status})")]
    Refused {
        /// The status.
        status: u16,
        /// What the API says.
        message: String,
    },
    /// 429 or 5xx, for as long as the call could last.
    #[error("the API cannot do it now: {message} ({status})")]
    Unavailable {
        /// The status.
        status: u16,
        /// What the API says.
        message: String,
    },
    /// An answer over its limit.
    #[error("the answer of {path} is larger than {limit} bytes")]
    TooLarge {
        /// What was called.
        path: String,
        /// The most bytes.
        limit: usize,
    },
    /// An answer that is not the API's: a page of a proxy, or of another service.
    #[error("{host} answers what is not understood: {why}")]
    NotUnderstood {
        /// The API's host.
        host: String,
        /// What was expected.
        why: String,
    },
}

fn unknown(message: Option<&str>) -> String {
    message.map_or_else(|| "the token is not known, or has expired".to_owned(), str::to_owned)
}

fn missing(path: &str, message: Option<&str>) -> String {
    message.map_or_else(|| format!("{path} does not exist"), str::to_owned)
}

impl ClientError {
    /// The status that was answered, if one was.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Unauthorized { .. } => Some(401),
            Self::Forbidden { .. } => Some(403),
            Self::NotFound { .. } => Some(404),
            Self::Refused { status, .. } | Self::Unavailable { status, .. } => Some(*status),
            _ => None,
        }
    }
}
