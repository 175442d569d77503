//! Why a command fails, and what to do about it.

use std::io;

use moorage_client::ClientError;
use moorage_declaration::{DeclarationError, PresentError};

use crate::exit::Exit;

/// Why a command fails. No message has a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Nobody has said where the API is.
    #[error("it is not said where the API is")]
    NoUrl,
    /// There is no token.
    #[error("there is no token")]
    NoToken,
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
                "Set MOORAGE_TOKEN, or give --token-file FILE. The deployment's first token is in Secrets Manager; more \
                 are made in the console, or by POST /api/v1/tokens."
            }
            Self::Api(error) => return of_api(error),
            Self::Present(PresentError::Refused { status: 401 | 403, .. }) => {
                "It takes a token with a larger role, or of that namespace; what cannot be read is never changed."
            }
            Self::Present(_) => "Try again later; what cannot be read is never changed.",
            Self::NoMirror(_) => "`moorage runs` lists all mirrors that the token may see, and their runs.",
            Self::Declaration(_) => "Change the document: each element is declared once.",
            Self::Document(_) => "`moorage schema` prints what a document may have.",
            Self::Secret { .. } => "Nothing was sent. Set what the document names, and try again.",
            Self::Unconfirmed(_) => "Say --yes where nobody can be asked.",
            Self::File { .. }
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

fn of_api(error: &ClientError) -> Option<&'static str> {
    Some(match error {
        ClientError::Address { .. } => "MOORAGE_URL or --url is the deployment's address, as https://HOST.",
        ClientError::Token => "Look at MOORAGE_TOKEN, or at the file of --token-file.",
        ClientError::Unreachable { .. } | ClientError::NotUnderstood { .. } => {
            "Look at MOORAGE_URL; `moorage doctor` says how far it comes."
        }
        ClientError::Unauthorized => "Look at MOORAGE_TOKEN, or make another token.",
        ClientError::Forbidden { .. } => "It takes a token with a larger role, or of that namespace.",
        ClientError::Unavailable { .. } => "Try again in a moment; the deployment's log and its runbook say more.",
        ClientError::TooLarge { .. } => "Ask for less at once.",
        ClientError::NotFound { .. }
        | ClientError::Refused { .. }
        | ClientError::Path { .. }
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
        assert!(refused(503).advice().is_some_and(|advice| advice.contains("later")));
        assert_eq!(CliError::Usage("no day".into()).exit().code(), 64);
    }
}
