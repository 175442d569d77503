//! Tokens that the stack gives out itself: signed by its key, and read by nobody else.
//!
//! They are JSON Web Tokens with HMAC-SHA256 (RFC 7519), because some clients read their `exp`. Each kind has one header,
//! which is compared, not interpreted: so one kind is never taken for another.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use sha2::Sha256;

use crate::Timestamp;

/// How far the clocks of two environments may be apart, in seconds.
const CLOCK_SKEW: i64 = 60;

/// A token that is not ours or of another kind, was changed, or is not of now.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is not ours, of another kind, or not of now")]
pub struct Invalid;

/// What a kind of token says.
pub trait Signed: Serialize + DeserializeOwned {
    /// The header of every token of the kind, and of no other kind.
    const HEADER: &'static str;

    /// When it was made, and when it ends.
    fn times(&self) -> (Timestamp, Timestamp);
}

/// Signs claims.
pub fn sign<T: Signed>(key: &SecretString, claims: &T) -> Result<SecretString, Invalid> {
    let payload = serde_json::to_vec(claims).map_err(|_| Invalid)?;
    let signed = format!("{}.{}", BASE64.encode(T::HEADER), BASE64.encode(payload));
    let signature = mac(key, &signed)?.finalize().into_bytes();
    Ok(format!("{signed}.{}", BASE64.encode(signature)).into())
}

/// The claims of a token that is ours and still works. The signature is compared in constant time.
pub fn verify<T: Signed>(key: &SecretString, token: &SecretString, now: Timestamp) -> Result<T, Invalid> {
    let (signed, signature) = token.expose_secret().rsplit_once('.').ok_or(Invalid)?;
    let signature = BASE64.decode(signature).map_err(|_| Invalid)?;
    mac(key, signed)?.verify_slice(&signature).map_err(|_| Invalid)?;
    let (header, payload) = signed.split_once('.').ok_or(Invalid)?;
    if header != BASE64.encode(T::HEADER) {
        return Err(Invalid);
    }
    let payload = BASE64.decode(payload).map_err(|_| Invalid)?;
    let claims: T = serde_json::from_slice(&payload).map_err(|_| Invalid)?;
    let (issued, expires) = claims.times();
    let is_over = expires <= now;
    let is_early = issued.unix().saturating_sub(now.unix()) > CLOCK_SKEW;
    if is_over || is_early { Err(Invalid) } else { Ok(claims) }
}

fn mac(key: &SecretString, signed: &str) -> Result<Hmac<Sha256>, Invalid> {
    let mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).map_err(|_| Invalid)?;
    Ok(mac.chain_update(signed))
}
