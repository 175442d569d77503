//! Secrets of webhooks: sealed by a key that is made of the webhook's id. The table has only the id's hash, so that whoever
//! reads the table can sign nothing; whoever brings an id can have the secret opened that it was made with.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{
    ExposeSecret as _, SecretString,
    webhook::{Address, WebhookId},
};
use rand::Rng as _;

use crate::StateError;

/// What the key is for: the hash of the id, which the table has, is made otherwise.
const PURPOSE: &[u8] = b"moorage: the secret of a webhook";
/// The random bytes of an id, and of a secret.
const LENGTH: usize = 32;

/// A new id with its address, and the secret that is sealed there.
pub fn new_address(require_signature: bool) -> Result<(WebhookId, SecretString, Address), StateError> {
    let random = || {
        let mut bytes = [0_u8; LENGTH];
        rand::rng().fill(&mut bytes);
        bytes
    };
    let id = WebhookId::of(&random());
    let secret = hex::encode(random());
    let mut sealed = secret.clone().into_bytes();
    let failed = |_| StateError::Unavailable("a webhook's secret could not be sealed".to_owned());
    let nonce = key(&id).and_then(|key| key.seal_in_place_append_tag(Aad::empty(), &mut sealed)).map_err(failed)?;
    let sealed = [nonce.as_ref().as_slice(), &sealed].concat();
    let address = Address { hash: id.hash(), secret: BASE64.encode(sealed).into(), require_signature };
    Ok((id, secret.into(), address))
}

/// The secret of an address, for whoever brings its id; nothing if it is another one's, or damaged.
pub fn secret_of(id: &WebhookId, address: &Address) -> Option<SecretString> {
    let sealed = BASE64.decode(address.secret.as_str()).ok()?;
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
    let mut sealed = sealed.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let secret = key(id).ok()?.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
    Some(std::str::from_utf8(secret).ok()?.into())
}

fn key(id: &WebhookId) -> Result<RandomizedNonceKey, aws_lc_rs::error::Unspecified> {
    let of_id = hmac::Key::new(hmac::HMAC_SHA256, id.text().expose_secret().as_bytes());
    RandomizedNonceKey::new(&AES_256_GCM, hmac::sign(&of_id, PURPOSE).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_opened_by_its_id_alone() {
        let (id, secret, address) = new_address(true).unwrap();
        let (other, other_secret, _) = new_address(false).unwrap();
        assert_eq!(
            (secret.expose_secret().len(), address.hash.clone(), address.require_signature),
            (64, id.hash(), true)
        );
        assert_ne!(secret.expose_secret(), other_secret.expose_secret());
        assert_eq!(secret_of(&id, &address).unwrap().expose_secret(), secret.expose_secret());
        assert!(secret_of(&other, &address).is_none());
        let stored = serde_json::to_string(&address).unwrap();
        assert!(!stored.contains(secret.expose_secret()) && !stored.contains(id.text().expose_secret()), "{stored}");
        for damaged in ["", "AAAA", "!", &format!("A{}", &address.secret.as_str()[1..])] {
            let damaged = Address { secret: damaged.to_owned().into(), ..address.clone() };
            assert!(damaged.secret == address.secret || secret_of(&id, &damaged).is_none());
        }
    }
}
