//! How the table can fail.

use aws_sdk_dynamodb::error::SdkError;
use moorage_domain::cause::chain;

/// A failure of the table.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Somebody else changed the item first, or it exists already.
    #[error("the item was changed by somebody else")]
    Conflict,
    /// The repository is in use, for some seconds.
    #[error("the repository is in use")]
    Locked,
    /// What was asked for is not there.
    #[error("there is no such item")]
    NotFound,
    /// An item does not have the form that this version writes.
    #[error("an item of the table cannot be read: {0}")]
    Corrupt(#[from] serde_dynamo::Error),
    /// DynamoDB refused or did not answer; the SDK's own retries are used up.
    #[error("DynamoDB failed: {0}")]
    Unavailable(String),
}

/// Everything but a failed condition, which each call handles itself.
pub(crate) fn unavailable<E, R>(error: &SdkError<E, R>) -> StateError
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    StateError::Unavailable(chain(error))
}

/// Of deletions: what is not there is gone, whoever took it away.
pub(crate) fn or_gone(deleted: Result<(), StateError>) -> Result<(), StateError> {
    match deleted {
        Err(StateError::NotFound) => Ok(()),
        result => result,
    }
}
