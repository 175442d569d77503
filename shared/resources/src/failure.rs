//! Why a request fails, in words for whoever reads the stack's events.

use moorage_client::ClientError;
use moorage_runtime::StackSecretError;
use moorage_state::StateError;

use crate::{secrets::SecretsError, target::Target, typed::PropertyError};

/// Why a request fails. No message holds a property's value but names, nor anything of a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The event is not one of CloudFormation's.
    #[error("the event is not what CloudFormation sends")]
    Event,
    /// No such type.
    #[error("{0} is no type of resource: see functions/resource/README.md")]
    Type(String),
    /// A property is not what it has to be.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// It is there, and this stack has not made it.
    #[error("{0} exists already, and this stack has not made it. Adopt: true takes it over")]
    Exists(Target),
    /// Another stack has taken it over since.
    #[error("{0} belongs to another stack by now: {1}")]
    Elsewhere(Target, String),
    /// The secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretsError),
    /// The API refused, or could not be asked.
    #[error("the API: {0}")]
    Api(#[from] ClientError),
    /// The API's answer lacks what it has to have.
    #[error("the API's answer is not understood")]
    Answer,
    /// The token that the API is called with cannot be had.
    #[error("the API's token cannot be read at present")]
    Token(#[from] StackSecretError),
    /// The table, which knows who has made what, cannot be used.
    #[error("the deployment's table cannot be used at present")]
    State(#[from] StateError),
    /// It took too long.
    #[error("it is not done yet, and the function's time is up: try again")]
    TimedOut,
    /// A panic.
    #[error("a fault of this function, whose log says more")]
    Fault,
}

impl Failure {
    /// Whether the call that failed has certainly changed nothing.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Api(ClientError::Unreachable { is_unsent, .. }) => *is_unsent,
            Self::Api(error) => error.status().is_some_and(|status| (400..500).contains(&status)),
            Self::Answer | Self::TimedOut | Self::Fault | Self::State(_) => false,
            _ => true,
        }
    }
}
