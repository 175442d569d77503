//! What tokens are shown by: their id and a secret, both in hexadecimal. Only the secret's hash is kept.

use rand::Rng;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Random bytes of a token: 256 bits.
const SECRET_LENGTH: usize = 32;
/// The length of a token in characters: its id and its secret, both in hexadecimal.
const TOKEN_LENGTH: usize = 32 + 2 * SECRET_LENGTH;

/// A new secret, from the operating system's randomness.
pub(crate) fn new_secret() -> String {
    hex::encode(rand::rng().random::<[u8; SECRET_LENGTH]>())
}

/// The id in a token that somebody shows, if it has the form of one.
pub(crate) fn id_of(shown: &str) -> Option<Uuid> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (shown.len() == TOKEN_LENGTH && shown.bytes().all(is_hex)).then(|| Uuid::try_parse(&shown[..32]).ok())?
}

/// The hash of the secret in a token that somebody shows.
pub(crate) fn hash_of(shown: &str) -> String {
    hash(shown.get(32..).unwrap_or_default())
}

/// SHA-256 of a secret, in hexadecimal.
pub(crate) fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}
