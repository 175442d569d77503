//! The stack's admin token.

use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata as _};
use moorage_domain::cause::chain;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;

use crate::http::{error::ApiError, service::ServiceFailure};

/// How long the token is kept before it is read again: how long a replaced one still works.
const CACHE: Duration = Duration::from_secs(300);

/// The admin token, read from Secrets Manager when it is first needed; only its hash is kept.
pub struct AdminToken {
    client: Client,
    secret: String,
    hash: Mutex<Option<([u8; 32], Instant)>>,
}

impl AdminToken {
    /// The secret of this name or ARN. Nothing is read yet.
    pub fn new(client: Client, secret: String) -> Self {
        Self { client, secret, hash: Mutex::new(None) }
    }

    /// Whether `given` is the token.
    pub(crate) async fn is(&self, given: &str) -> Result<bool, ApiError> {
        // Hashes have one length, so that comparing takes the same time whatever was given.
        let given: [u8; 32] = Sha256::digest(given).into();
        Ok(bool::from(given.ct_eq(&self.hash().await?)))
    }

    async fn hash(&self) -> Result<[u8; 32], ApiError> {
        let mut cached = self.hash.lock().await;
        if let Some((hash, since)) = *cached
            && since.elapsed() < CACHE
        {
            return Ok(hash);
        }
        let failed = |message: String| format!("the admin token cannot be read: {message}");
        let secret = self.client.get_secret_value().secret_id(&self.secret).send().await;
        let secret = secret.map_err(|error| ServiceFailure::new(error.code(), failed(chain(&error))))?;
        let token = secret
            .secret_string
            .filter(|token| !token.is_empty())
            .ok_or_else(|| ApiError::Unavailable(failed("it is empty".into())))?;
        let hash = Sha256::digest(token).into();
        *cached = Some((hash, Instant::now()));
        Ok(hash)
    }
}
