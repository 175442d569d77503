//! Why a command fails, and what to do about it.

use std::io;

use moorage_client::{ClientError, ProviderError, Refusal};
use moorage_declaration::{DeclarationError, PresentError};

use crate::{exit::Exit, session::SessionError};

/// Why a command fails. No message has a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Nobody has said where the API is.
    #[error("it is not said where the API is")]
    NoUrl,
    /// There is no token, and no sign-in.
    #[error("there is no token, and nobody has signed in")]
    NoToken,
    /// Nobody can sign in, or not so.
    #[error("nobody can sign in here: {0}")]
    NoSignIn(&'static str),
    /// Whoever has signed in is not let in.
    #[error("the sign-in is refused: {0}")]
    SignInRefused(String),
    /// Signing in has come to nothing.
    #[error("nobody was signed in: {0}")]
    SignIn(#[from] ProviderError),
    /// A sign-in cannot be read, or kept.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A call failed.
    #[error(transparent)]
    Api(#[from] ClientError),
    /// It is not there, or the token may not see it.
    #[error("{0} has no mirror, or there is no such run of it")]
    NoMirror(String),
    /// A file could not be read.
    #[error("{path} cannot be read: {why}")]
    File {
        /// Which one.
        path: String,
        /// Why.
        why: String,
    },
    /// A document is wrong.
    #[error("{0}")]
    Document(String),
    /// The source of an import cannot be taken.
    #[error("{0}")]
    Source(String),
    /// What is declared contradicts itself.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
    /// It cannot be said what there is.
    #[error(transparent)]
    Present(#[from] PresentError),
    /// A secret is not where it should be.
    #[error("{of} needs a secret: {why}")]
    Secret {
        /// Which element.
        of: String,
        /// What is wrong.
        why: String,
    },
    /// Nobody has confirmed it.
    #[error("nothing was done: {0}")]
    Unconfirmed(&'static str),
    /// An answer of the API lacks what it should have.
    #[error("the API's answer has no {0}")]
    Unexpected(&'static str),
    /// What was asked for does not fit together, or cannot be done.
    #[error("{0}")]
    Refused(String),
    /// The command line is wrong in a way that only the command can see.
    #[error("{0}")]
    Usage(String),
    /// Its output could not be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl CliError {
    /// What to do about it.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        let advice = match self {
            Self::NoUrl => "Set MOORAGE_URL, or give --url https://HOST.",
            Self::NoToken => {
                "Sign in by `moorage login`; or set MOORAGE_TOKEN, or give --token-file FILE. The deployment's first token \
                 is in Secrets Manager; more are made in the console, or by POST /api/v1/tokens."
            }
            Self::NoSignIn(_) => "Make a token in the console, and set MOORAGE_TOKEN. `moorage doctor` says more.",
            Self::SignInRefused(_) => AGAIN,
            Self::SignIn(error) => return of_provider(error),
            Self::Session(SessionError::Exposed(_)) => {
                "`moorage logout` and `moorage login` make another one; end the old one at the provider, if others may \
                 have read it."
            }
            Self::Api(error) => return of_api(error),
            Self::Present(PresentError::Refused { status: 401 | 403, .. } | PresentError::Hidden { .. }) => {
                "It takes a token with a larger role, or of that namespace; what cannot be read is never changed."
            }
            Self::Present(_) => "Try again later; what cannot be read is never changed.",
            Self::NoMirror(_) => "`moorage runs` lists all mirrors that the token may see, and their runs.",
            Self::Declaration(_) => "Change the document: each element is declared once.",
            Self::Document(_) => "`moorage schema` prints what a document may have.",
            Self::Secret { .. } => "Nothing was sent. Set what the document names, and try again.",
            Self::Unconfirmed(_) => "Say --yes where nobody can be asked.",
            Self::Session(_)
            | Self::File { .. }
            | Self::Unexpected(_)
            | Self::Source(_)
            | Self::Refused(_)
            | Self::Usage(_)
            | Self::Output(_) => return None,
        };
        Some(advice)
    }

    /// The same, of a command that is about something.
    pub(crate) fn about(self, target: Option<&str>) -> Self {
        match (self, target) {
            (Self::Api(ClientError::NotFound { message: None, .. }), Some(target)) => Self::NoMirror(target.to_owned()),
            (error, _) => error,
        }
    }

    /// The same, of a command that goes by a sign-in.
    pub(crate) fn of_sign_in(self) -> Self {
        match self {
            Self::Api(ClientError::Unauthorized { message }) => {
                Self::SignInRefused(message.unwrap_or_else(|| "it is not known, or has ended".to_owned()))
            }
            error => error,
        }
    }

    /// What the command ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            // Whoever reads has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Usage(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

/// What to do when a sign-in is over.
const AGAIN: &str = "`moorage login` signs in again; `moorage doctor` looks further.";

fn of_provider(error: &ProviderError) -> Option<&'static str> {
    Some(match error {
        ProviderError::Endpoint { .. } => {
            "Look at the deployment's OidcIssuer, and at what that provider says of itself."
        }
        ProviderError::Unreachable { .. } | ProviderError::Unavailable { .. } => "Try again in a moment.",
        ProviderError::NotUnderstood { .. } => {
            "Look at the deployment's OidcIssuer, and whether a proxy answers in its place."
        }
        ProviderError::Refused(Refusal::AccessDenied | Refusal::ExpiredToken) => {
            "`moorage login` asks for another code."
        }
        ProviderError::Refused(
            Refusal::InvalidClient | Refusal::UnauthorizedClient | Refusal::UnsupportedGrantType,
        ) => "The provider's client has to be a public one that may use the device flow (RFC 8628) and refresh tokens.",
        ProviderError::Refused(Refusal::InvalidScope) => "Look at the deployment's OidcScopes.",
        ProviderError::Refused(_) => AGAIN,
        ProviderError::Setup(_) => return None,
    })
}

fn of_api(error: &ClientError) -> Option<&'static str> {
    Some(match error {
        ClientError::Address { .. } => "MOORAGE_URL or --url is the deployment's address, as https://HOST.",
        ClientError::Token => "Look at MOORAGE_TOKEN, or at the file of --token-file.",
        ClientError::Unreachable { .. } | ClientError::NotUnderstood { .. } => {
            "Look at MOORAGE_URL; `moorage doctor` says how far it comes."
        }
        ClientError::Unauthorized { .. } => "Look at MOORAGE_TOKEN, or make another token.",
        ClientError::SignInEnded { .. } => AGAIN,
        ClientError::SignIn(error) => return of_provider(error),
        ClientError::Forbidden { .. } => "It takes a token with a larger role, or of that namespace.",
        ClientError::Unavailable { .. } => "Try again in a moment; the deployment's log and its runbook say more.",
        ClientError::TooLarge { .. } => "Ask for less at once.",
        ClientError::NotFound { .. }
        | ClientError::Refused { .. }
        | ClientError::Path { .. }
        | ClientError::Stored { .. }
        | ClientError::Setup(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_is_not_told_to_wait() {
        let refused =
            |status| CliError::from(PresentError::Refused { path: "x".into(), status, message: String::new() });
        for status in [401, 403] {
            assert!(refused(status).advice().is_some_and(|advice| advice.contains("a larger role")), "{status}");
        }
        let hidden = CliError::from(PresentError::Hidden { path: "x".into() });
        assert!(hidden.advice().is_some_and(|advice| advice.contains("a larger role")));
        assert!(refused(503).advice().is_some_and(|advice| advice.contains("later")));
        assert_eq!(CliError::Usage("no day".into()).exit().code(), 64);
    }

    #[test]
    fn a_sign_in_that_is_over_ends_as_a_token_does_that_is_not_known() {
        let unknown = || CliError::from(ClientError::Unauthorized { message: None });
        let disabled = CliError::from(ClientError::Unauthorized { message: Some("alice is disabled".into()) });
        let ended = CliError::from(ClientError::SignInEnded { why: "somebody has signed out".into() });
        for error in [unknown().of_sign_in(), disabled.of_sign_in(), ended.of_sign_in()] {
            assert_eq!(error.exit(), unknown().exit());
            assert!(error.advice().is_some_and(|advice| advice.contains("moorage login")), "{error}");
        }
        assert!(unknown().advice().is_some_and(|advice| advice.contains("MOORAGE_TOKEN")));
    }
}
