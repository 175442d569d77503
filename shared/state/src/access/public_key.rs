//! Public keys that KMS has.

use aws_sdk_kms::config::{Builder, Region};
use moorage_domain::signature_policy::{KmsKey, PublicKey};

use super::secret::{SecretBox, SecretError};
use crate::error::service_error;

impl SecretBox {
    /// The public key of a pair, from the region that has it. Fails as [`SecretError::Unavailable`] for one that signatures
    /// are not verified with.
    pub async fn public_key(&self, name: &KmsKey) -> Result<PublicKey, SecretError> {
        let elsewhere = Builder::new().region(Region::new(name.region().to_owned()));
        let request = self.client().get_public_key().key_id(name.as_str()).customize().config_override(elsewhere);
        let answer = request.send().await.map_err(|error| service_error("KMS", error))?;
        let der = answer.public_key.ok_or_else(|| SecretError::Unavailable("no public key".into()))?;
        PublicKey::from_der(der.as_ref()).map_err(|error| SecretError::Unavailable(error.to_string()))
    }
}
