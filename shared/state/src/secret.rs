//! The envelope of the secrets in the table: KMS, bound to what they belong to.

use aws_sdk_kms::{Client, primitives::Blob};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{ExposeSecret as _, Namespace, RepositoryName, RobotName, SecretString, cause::chain};
use serde::{Deserialize, Serialize};

/// The longest secret, in bytes: KMS encrypts no more directly.
pub const MAX_SECRET_LENGTH: usize = 4_096;

/// An encrypted secret, in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ciphertext(String);

/// What a secret is for. It becomes the encryption context, so a ciphertext that was moved to another item of the table
/// no longer decrypts; and the roles' policies go by it: only `sync` may decrypt passwords of external registries.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// The password of the external registry of this repository's mirror.
    Upstream(&'a RepositoryName),
    /// This robot's token.
    Robot(&'a RobotName),
    /// This robot's password at an external registry.
    RobotUpstream(&'a RobotName),
    /// The password of the external registry of this organization's mirror.
    OrganizationUpstream(&'a Namespace),
}

impl From<Ciphertext> for String {
    fn from(ciphertext: Ciphertext) -> Self {
        ciphertext.0
    }
}

impl Purpose<'_> {
    fn context(self) -> (&'static str, String) {
        match self {
            Self::Upstream(repository) => ("repository", repository.to_string()),
            Self::Robot(robot) => ("robot", robot.to_string()),
            Self::RobotUpstream(robot) => ("robot_upstream", robot.to_string()),
            Self::OrganizationUpstream(organization) => ("organization", organization.to_string()),
        }
    }
}

/// Why a secret cannot be had. Never holds the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It was encrypted for something else, or is damaged.
    #[error("the secret cannot be decrypted")]
    Undecryptable,
    /// KMS refused or did not answer.
    #[error("KMS failed: {0}")]
    Unavailable(String),
}

/// Encrypts and decrypts with one key. Which of both works is up to the function's role.
#[derive(Debug, Clone)]
pub struct SecretBox {
    client: Client,
    key_id: String,
}

impl SecretBox {
    /// With the key `key_id` for encrypting. Ciphertexts name the key that decrypts them.
    pub fn new(client: Client, key_id: impl Into<String>) -> Self {
        Self { client, key_id: key_id.into() }
    }

    /// Encrypts a secret of at most [`MAX_SECRET_LENGTH`] bytes.
    pub async fn encrypt(&self, purpose: Purpose<'_>, secret: &SecretString) -> Result<Ciphertext, SecretError> {
        let (name, value) = purpose.context();
        let plaintext = Blob::new(secret.expose_secret().as_bytes());
        let request = self.client.encrypt().key_id(&self.key_id).plaintext(plaintext).encryption_context(name, value);
        let answer = request.send().await.map_err(|error| SecretError::Unavailable(chain(&error)))?;
        let ciphertext = answer.ciphertext_blob.ok_or_else(|| SecretError::Unavailable("no ciphertext".into()))?;
        Ok(Ciphertext(BASE64.encode(ciphertext)))
    }

    /// Decrypts a secret.
    pub async fn decrypt(&self, purpose: Purpose<'_>, secret: &Ciphertext) -> Result<SecretString, SecretError> {
        let (name, value) = purpose.context();
        let ciphertext = BASE64.decode(&secret.0).map_err(|_| SecretError::Undecryptable)?;
        let request = self.client.decrypt().ciphertext_blob(Blob::new(ciphertext)).encryption_context(name, value);
        let answer = request.send().await.map_err(|error| {
            use aws_sdk_kms::operation::decrypt::DecryptError as E;
            match error.as_service_error() {
                Some(E::InvalidCiphertextException(_) | E::IncorrectKeyException(_) | E::NotFoundException(_)) => {
                    SecretError::Undecryptable
                }
                _ => SecretError::Unavailable(chain(&error)),
            }
        })?;
        let plaintext = answer.plaintext.ok_or(SecretError::Undecryptable)?;
        String::from_utf8(plaintext.into_inner()).map(Into::into).map_err(|_| SecretError::Undecryptable)
    }
}
