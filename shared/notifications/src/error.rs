//! What keeps somebody from being told.

use moorage_domain::ServiceError;
use moorage_state::{SecretError, StateError};

/// Why a notice or a message is to come again.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// SQS, SNS or EventBridge failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A secret could not be decrypted.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A message cannot be written.
    #[error("a message cannot be written")]
    Unwritable(#[from] serde_json::Error),
}
