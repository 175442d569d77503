//! The envelope of the secrets in the table: KMS, bound to what they belong to and where they may be sent.

use std::borrow::Cow;

use aws_sdk_kms::{Client, primitives::Blob};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{
    Ciphertext, ExposeSecret as _, FailureReason, Namespace, RepositoryName, RobotName, SecretString, ServiceError,
    failure::Failure, notification::Owner,
};
use uuid::Uuid;

use crate::error::service_error;

/// The longest secret, in bytes: KMS encrypts no more directly.
pub const MAX_SECRET_LENGTH: usize = 4_096;

/// What ciphertexts begin with whose context names the registry. Earlier builds bound a password to its mirror or robot
/// alone; what they stored is without it, and is decrypted as they did, until the password is sent again. Nothing depends
/// on the mark: KMS decrypts each with its own context only.
const BOUND: &str = "registry:";

/// Whose a sample is: no repository, robot or registry is called so.
const SAMPLE: &str = "-";

/// What the plaintext of an empty secret is, because KMS encrypts no empty one; and what is put before a secret that begins
/// so.
const EMPTY: char = '\0';

/// What the secrets of external registries belong to.
#[derive(Debug, Clone, Copy)]
pub enum SecretOwner<'a> {
    /// This repository's mirror.
    Repository(&'a RepositoryName),
    /// This robot.
    Robot(&'a RobotName),
    /// This organization's mirror.
    Organization(&'a Namespace),
}

/// What a secret is for. It becomes the encryption context, so a ciphertext that was moved to another item of the table,
/// or whose item names another host, no longer decrypts; and the roles' policies go by it: only `sync` may decrypt
/// passwords of external registries and of proxies. Hosts are with their port, where they are written with one.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// This robot's token.
    Robot(&'a RobotName),
    /// No secret: what shows that passwords of registries can be encrypted and decrypted.
    Sample,
    /// No secret: the same of robots' tokens.
    RobotSample,
    /// What a notification's messages are signed with.
    Notification(&'a Owner, Uuid),
    /// The password at an external registry.
    Registry(SecretOwner<'a>, &'a str),
    /// What TLS with an external registry goes by. What is encrypted is the key that seals it.
    Tls(SecretOwner<'a>, &'a str),
    /// The password at a proxy on the way to an external registry.
    Proxy {
        /// Whose it is.
        owner: SecretOwner<'a>,
        /// The registry's host.
        registry: &'a str,
        /// The proxy's host.
        proxy: &'a str,
    },
}

/// Names and values of an encryption context.
type Context = Vec<(&'static str, String)>;

impl Purpose<'_> {
    /// The context; and that of earlier builds, if they knew the purpose.
    fn contexts(self) -> (Context, Option<Context>) {
        let at = |registry: &str| ("registry", registry.to_ascii_lowercase());
        match self {
            Self::Robot(robot) => {
                let context = vec![("robot", robot.to_string())];
                (context.clone(), Some(context))
            }
            Self::Sample => (vec![("repository", SAMPLE.to_owned()), at(SAMPLE)], None),
            Self::RobotSample => (vec![("robot", SAMPLE.to_owned())], None),
            Self::Notification(owner, uuid) => (vec![("notification", format!("{owner}/{uuid}"))], None),
            Self::Registry(owner, registry) => (vec![owner.named(), at(registry)], Some(vec![owner.named()])),
            // Nobody gets such a key as a password.
            Self::Tls(owner, registry) => (vec![owner.named(), at(registry), ("sealed", "tls".to_owned())], None),
            Self::Proxy { owner, registry, proxy } => {
                (vec![owner.named(), at(registry), ("proxy", proxy.to_ascii_lowercase())], None)
            }
        }
    }
}

impl SecretOwner<'_> {
    fn named(self) -> (&'static str, String) {
        match self {
            Self::Repository(repository) => ("repository", repository.to_string()),
            Self::Robot(robot) => ("robot_upstream", robot.to_string()),
            Self::Organization(organization) => ("organization", organization.to_string()),
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
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// KMS answered with nothing.
    #[error("KMS failed: {0}")]
    Unavailable(String),
}

impl SecretError {
    /// The failure of a service, if it is one.
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            Self::Undecryptable | Self::Unavailable(_) => None,
        }
    }
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        let reason = match error {
            SecretError::Undecryptable => FailureReason::DecryptionFailed,
            SecretError::Service(_) | SecretError::Unavailable(_) => FailureReason::StorageError,
        };
        Self::of(reason, &error).caused_by(error.service())
    }
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

    /// KMS.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Encrypts a secret of at most [`MAX_SECRET_LENGTH`] bytes.
    pub async fn encrypt(&self, purpose: Purpose<'_>, secret: &SecretString) -> Result<Ciphertext, SecretError> {
        let (context, _) = purpose.contexts();
        let mark = if matches!(purpose, Purpose::Robot(_)) { "" } else { BOUND };
        let plaintext = Blob::new(padded(secret.expose_secret()).into_owned().into_bytes());
        let request = self.client.encrypt().key_id(&self.key_id).plaintext(plaintext);
        let request =
            context.into_iter().fold(request, |request, (name, value)| request.encryption_context(name, value));
        let answer = request.send().await.map_err(|error| service_error("KMS", error))?;
        let ciphertext = answer.ciphertext_blob.ok_or_else(|| SecretError::Unavailable("no ciphertext".into()))?;
        Ok(format!("{mark}{}", BASE64.encode(ciphertext)).into())
    }

    /// Decrypts a secret.
    pub async fn decrypt(&self, purpose: Purpose<'_>, secret: &Ciphertext) -> Result<SecretString, SecretError> {
        let (context, earlier) = purpose.contexts();
        let (base64, context) = match secret.as_str().strip_prefix(BOUND) {
            Some(base64) => (base64, context),
            None => (secret.as_str(), earlier.ok_or(SecretError::Undecryptable)?),
        };
        let ciphertext = BASE64.decode(base64).map_err(|_| SecretError::Undecryptable)?;
        let request = self.client.decrypt().ciphertext_blob(Blob::new(ciphertext));
        let request =
            context.into_iter().fold(request, |request, (name, value)| request.encryption_context(name, value));
        let answer = request.send().await.map_err(|error| {
            use aws_sdk_kms::operation::decrypt::DecryptError as E;
            // A key that is gone is the operator's, whatever the ciphertext.
            match error.as_service_error() {
                Some(E::InvalidCiphertextException(_) | E::IncorrectKeyException(_)) => SecretError::Undecryptable,
                _ => service_error("KMS", error).into(),
            }
        })?;
        let plaintext = answer.plaintext.ok_or(SecretError::Undecryptable)?;
        let mut secret = String::from_utf8(plaintext.into_inner()).map_err(|_| SecretError::Undecryptable)?;
        if secret.starts_with(EMPTY) {
            secret.remove(0);
        }
        Ok(secret.into())
    }
}

/// A secret as it is encrypted: never empty.
fn padded(secret: &str) -> Cow<'_, str> {
    if secret.is_empty() || secret.starts_with(EMPTY) { format!("{EMPTY}{secret}").into() } else { secret.into() }
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::config::retry::RetryConfig;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use moorage_domain::ServiceErrorKind;

    use super::*;

    #[tokio::test]
    async fn only_what_kms_cannot_decrypt_is_undecryptable() {
        for (code, kind) in [
            ("InvalidCiphertextException", None),
            ("IncorrectKeyException", None),
            ("NotFoundException", Some(ServiceErrorKind::Missing)),
            ("AccessDeniedException", Some(ServiceErrorKind::AccessDenied)),
            ("ThrottlingException", Some(ServiceErrorKind::Throttled)),
        ] {
            let body = format!(r#"{{"__type":"{code}","message":"no"}}"#);
            let rule = mock!(Client::decrypt).sequence().http_status(400, Some(body)).build();
            let client = mock_client!(aws_sdk_kms, RuleMode::MatchAny, [&rule], |config| {
                config.retry_config(RetryConfig::disabled())
            });
            let robot = "acme+mirror".parse().unwrap();
            let (secrets, stored) = (SecretBox::new(client, "key"), Ciphertext::from("AAAA".to_owned()));
            let error = secrets.decrypt(Purpose::Robot(&robot), &stored).await.unwrap_err();
            let service = error.service().map(|service| (service.kind(), service.code()));
            assert_eq!(service, kind.map(|kind| (kind, Some(code))), "{error}");
            assert_eq!(matches!(error, SecretError::Undecryptable), kind.is_none(), "{error}");
            let (failure, is_kms) = (Failure::from(error), kind.is_some());
            let reason = if is_kms { FailureReason::StorageError } else { FailureReason::DecryptionFailed };
            assert_eq!((failure.reason, failure.code.as_deref()), (reason, is_kms.then_some(code)));
        }
    }
}
