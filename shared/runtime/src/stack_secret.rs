//! Secrets that the stack generated: the first token of the API, the key that signs the registry's tokens.

use std::time::Duration;

use aws_sdk_secretsmanager::{
    Client, Config,
    config::timeout::TimeoutConfig,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::get_secret_value::GetSecretValueError,
};
use moorage_domain::{SecretString, ServiceError, ServiceErrorKind, Timestamp};
use tokio::sync::Mutex;

/// How long a secret is used before it is read again, in seconds: how long a replaced one still works.
const FRESH: i64 = 60;
/// How long after it was read a secret is used if Secrets Manager fails, in seconds: an hour, in which a failure of a
/// region, or of the stack's own permissions, can be seen and mended. A replaced secret works for so long at most.
const KEPT: i64 = 3_600;
/// How long after Secrets Manager failed it is not asked again while there is a secret to use, in seconds: requests that
/// find it failing have to wait for it.
const PAUSE: i64 = 15;
/// How long one waits for Secrets Manager while there is a secret to use: it answers in some hundredths of a second.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StackSecretError {
    /// Secrets Manager, or KMS behind it, refused or did not answer; the SDK's own retries are used up.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// There is no such secret any more. It is for the operator to mend.
    #[error("a secret of the stack was deleted: {0}")]
    Deleted(#[source] ServiceError),
    /// There is nothing in it. It is for the operator to mend.
    #[error("a secret of the stack is empty")]
    Empty,
}

impl StackSecretError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ServiceErrorKind {
        match self {
            Self::Service(error) => error.kind(),
            Self::Deleted(_) | Self::Empty => ServiceErrorKind::Missing,
        }
    }

    /// The code in Secrets Manager's answer, if one came and has one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service(error) | Self::Deleted(error) => error.code(),
            Self::Empty => None,
        }
    }
}

/// A secret, read from Secrets Manager when it is first needed, and again when it is a minute old.
///
/// If Secrets Manager then fails or refuses, the secret that was last read is used until it is an hour old, and each try
/// that failed is one line of log. One that was deleted or emptied is not used any longer. Ages are of the wall clock: a
/// monotonic one stops while a function is frozen, and what was replaced meanwhile would be taken for fresh.
pub struct StackSecret {
    client: Client,
    id: String,
    last: Mutex<Option<Last>>,
}

/// What was read last.
struct Last {
    secret: SecretString,
    /// When it was read.
    read: Timestamp,
    /// When it was tried to read it again, in vain.
    failed: Option<Timestamp>,
}

impl Last {
    /// Whether it is used without asking.
    fn is_fresh(&self, now: Timestamp) -> bool {
        is_within(FRESH, self.read, now)
            || self.is_usable(now) && self.failed.is_some_and(|failed| is_within(PAUSE, failed, now))
    }

    /// Whether it is used if no newer one can be had.
    fn is_usable(&self, now: Timestamp) -> bool {
        is_within(KEPT, self.read, now)
    }
}

impl StackSecret {
    /// A secret by its ARN or name.
    pub fn new(client: Client, id: String) -> Self {
        Self { client, id, last: Mutex::new(None) }
    }

    /// The secret. Requests at the same time wait for one reading.
    pub async fn get(&self, now: Timestamp) -> Result<SecretString, StackSecretError> {
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.is_fresh(now)) {
            return Ok(last.secret.clone());
        }
        let usable = last.as_mut().filter(|last| last.is_usable(now));
        match (self.read(usable.is_some()).await, usable) {
            (Ok(secret), _) => {
                *last = Some(Last { secret: secret.clone(), read: now, failed: None });
                Ok(secret)
            }
            (Err(StackSecretError::Service(error)), Some(usable)) => {
                let (secret, code) = (&self.id, error.code());
                tracing::error!(secret, code, %error, "the secret that was last read is used");
                usable.failed = Some(now);
                Ok(usable.secret.clone())
            }
            (Err(error), _) => {
                if error.kind() == ServiceErrorKind::Missing {
                    *last = None;
                }
                Err(error)
            }
        }
    }

    async fn read(&self, is_spare: bool) -> Result<SecretString, StackSecretError> {
        let request = self.client.get_secret_value().secret_id(&self.id).customize();
        let request = if is_spare {
            let timeouts = TimeoutConfig::builder().operation_timeout(PATIENCE).build();
            request.config_override(Config::builder().timeout_config(timeouts))
        } else {
            request
        };
        let secret = request.send().await.map_err(failed)?.secret_string;
        // An empty key would sign for everybody.
        secret.filter(|secret| !secret.is_empty()).map(SecretString::from).ok_or(StackSecretError::Empty)
    }
}

/// Whether `since` was less than `seconds` ago. What lies in the future was at a time that the clock, which went backwards,
/// does not tell: never within.
fn is_within(seconds: i64, since: Timestamp, now: Timestamp) -> bool {
    (0..seconds).contains(&now.unix().saturating_sub(since.unix()))
}

fn failed(error: SdkError<GetSecretValueError>) -> StackSecretError {
    // The second is what it says of a secret that is to be deleted, and is kept only to be restored.
    let is_deleted = matches!(
        error.as_service_error(),
        Some(GetSecretValueError::ResourceNotFoundException(_) | GetSecretValueError::InvalidRequestException(_))
    );
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    let error = ServiceError::new("Secrets Manager", error.code().map(str::to_owned), status, error);
    if is_deleted { StackSecretError::Deleted(error) } else { StackSecretError::Service(error) }
}

#[cfg(test)]
mod tests;
