//! Secrets that the stack generated.

use aws_sdk_secretsmanager::Client;
use moorage_domain::{SecretString, Timestamp, cause::chain};
use tokio::sync::Mutex;

use crate::error::PullError;

/// How long a secret is kept before it is read again, in seconds: how long a replaced one still works.
const KEPT: i64 = 60;

/// A secret, read from Secrets Manager when it is first needed.
pub(crate) struct StackSecret {
    client: Client,
    id: String,
    cached: Mutex<Option<(SecretString, Timestamp)>>,
}

impl StackSecret {
    pub(crate) fn new(client: Client, id: String) -> Self {
        Self { client, id, cached: Mutex::new(None) }
    }

    pub(crate) async fn get(&self, now: Timestamp) -> Result<SecretString, PullError> {
        let mut cached = self.cached.lock().await;
        if let Some((secret, since)) = &*cached
            && (0..KEPT).contains(&now.unix().saturating_sub(since.unix()))
        {
            return Ok(secret.clone());
        }
        let failed =
            |message: String| PullError::Unavailable(format!("a secret of the stack cannot be read: {message}"));
        let answer = self.client.get_secret_value().secret_id(&self.id).send().await;
        let secret = answer.map_err(|error| failed(chain(&error)))?.secret_string;
        // An empty key would sign for everybody.
        let secret = secret.filter(|secret| !secret.is_empty()).ok_or_else(|| failed("it is empty".into()))?;
        let secret = SecretString::from(secret);
        *cached = Some((secret.clone(), now));
        Ok(secret)
    }
}
