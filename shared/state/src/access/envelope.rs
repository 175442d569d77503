//! Secrets that are too long for KMS: sealed by a key of their own, which KMS encrypts. The role that encrypts makes the key,
//! so that it needs no other right of KMS than for a password.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{Ciphertext, ExposeSecret as _, SecretString};
use rand::Rng as _;

use crate::{Purpose, SecretBox, access::secret::SecretError};

/// The bytes of a key of AES-256.
const KEY_LENGTH: usize = 32;
/// What is between the encrypted key and what it seals. Neither has it: both are base64, the key's with a mark.
const BETWEEN: char = ' ';

impl SecretBox {
    /// Seals a secret of any length.
    pub async fn seal(&self, purpose: Purpose<'_>, secret: &SecretString) -> Result<Ciphertext, SecretError> {
        let mut key = [0_u8; KEY_LENGTH];
        rand::rng().fill(&mut key);
        let sealed =
            seal(&key, secret).ok_or_else(|| SecretError::Unavailable("a secret could not be sealed".into()))?;
        let key = self.encrypt(purpose, &hex::encode(key).into()).await?;
        Ok(format!("{}{BETWEEN}{sealed}", key.as_str()).into())
    }

    /// Opens what was sealed for the same purpose.
    pub async fn open(&self, purpose: Purpose<'_>, sealed: &Ciphertext) -> Result<SecretString, SecretError> {
        let (key, sealed) = sealed.as_str().split_once(BETWEEN).ok_or(SecretError::Undecryptable)?;
        let key = self.decrypt(purpose, &Ciphertext::from(key.to_owned())).await?;
        let key = hex::decode(key.expose_secret()).map_err(|_| SecretError::Undecryptable)?;
        open(&key, sealed).ok_or(SecretError::Undecryptable)
    }
}

/// The nonce and the ciphertext, in base64.
fn seal(key: &[u8], secret: &SecretString) -> Option<String> {
    let mut sealed = secret.expose_secret().as_bytes().to_vec();
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
    let nonce = key.seal_in_place_append_tag(Aad::empty(), &mut sealed).ok()?;
    Some(BASE64.encode([nonce.as_ref().as_slice(), &sealed].concat()))
}

fn open(key: &[u8], sealed: &str) -> Option<SecretString> {
    let sealed = BASE64.decode(sealed).ok()?;
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
    let (nonce, mut sealed) = (Nonce::try_assume_unique_for_key(nonce).ok()?, sealed.to_vec());
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
    let secret = key.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
    Some(std::str::from_utf8(secret).ok()?.into())
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::{
        Client,
        operation::{decrypt::DecryptOutput, encrypt::EncryptOutput},
        primitives::Blob,
    };
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use super::*;
    use crate::SecretOwner;

    /// What takes the place of KMS: it turns the bytes around, and gives them back to whoever names the same context.
    fn kms() -> Client {
        let context = |registry: Option<&String>| registry.is_some_and(|registry| registry == "registry.example");
        let encrypt = mock!(Client::encrypt).match_requests(move |request| {
            let names = request.encryption_context().unwrap();
            context(names.get("registry")) && names.get("sealed").is_some_and(|what| what == "tls")
        });
        let encrypt = encrypt.then_compute_output(|request| {
            let turned: Vec<u8> = request.plaintext().unwrap().as_ref().iter().map(|byte| !byte).collect();
            EncryptOutput::builder().ciphertext_blob(Blob::new(turned)).build()
        });
        let decrypt = mock!(Client::decrypt)
            .match_requests(move |request| context(request.encryption_context().unwrap().get("registry")));
        let decrypt = decrypt.then_compute_output(|request| {
            let turned: Vec<u8> = request.ciphertext_blob().unwrap().as_ref().iter().map(|byte| !byte).collect();
            DecryptOutput::builder().plaintext(Blob::new(turned)).build()
        });
        mock_client!(aws_sdk_kms, RuleMode::MatchAny, [&encrypt, &decrypt])
    }

    #[tokio::test]
    async fn what_is_long_is_sealed_for_its_purpose() {
        let (secrets, repository) = (SecretBox::new(kms(), "key"), "acme/app".parse().unwrap());
        let purpose = Purpose::Tls(SecretOwner::Repository(&repository), "registry.example");
        let long: SecretString = "hunter2 ".repeat(10_000).into();
        let (one, other) = (secrets.seal(purpose, &long).await.unwrap(), secrets.seal(purpose, &long).await.unwrap());
        assert_ne!(one, other, "each has a key and a nonce of its own");
        assert!(!one.as_str().contains("hunter2"));
        assert_eq!(secrets.open(purpose, &one).await.unwrap().expose_secret(), long.expose_secret());
        let (key, sealed) = one.as_str().split_once(BETWEEN).unwrap();
        let (other_key, _) = other.as_str().split_once(BETWEEN).unwrap();
        for damaged in [
            String::new(),
            key.to_owned(),
            format!("{key}{BETWEEN}"),
            format!("{key}{BETWEEN}!"),
            format!("{other_key}{BETWEEN}{sealed}"),
            format!("{key}{BETWEEN}{}", &sealed[4..]),
        ] {
            let opened = secrets.open(purpose, &damaged.clone().into()).await;
            assert!(matches!(opened, Err(SecretError::Undecryptable)), "{damaged:.80}");
        }
    }
}
