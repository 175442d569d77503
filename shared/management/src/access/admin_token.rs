//! The stack's admin token.

use aws_sdk_secretsmanager::Client;
use moorage_domain::ExposeSecret as _;
use moorage_runtime::StackSecret;
use moorage_state::now;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::http::{error::ApiError, service::ServiceFailure};

/// The stack's first token, which may do everything.
pub struct AdminToken(StackSecret);

impl AdminToken {
    /// The secret of this name or ARN. Nothing is read yet.
    pub fn new(client: Client, secret: String) -> Self {
        Self(StackSecret::new(client, secret))
    }

    /// Whether `given` is the token.
    pub(crate) async fn is(&self, given: &str) -> Result<bool, ApiError> {
        let token = self.0.get(now()).await.map_err(ServiceFailure::from)?;
        // Hashes have one length, so that comparing takes the same time whatever was given.
        let (given, token) = (Sha256::digest(given), Sha256::digest(token.expose_secret()));
        Ok(bool::from(given.as_slice().ct_eq(token.as_slice())))
    }
}
