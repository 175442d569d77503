//! Public keys, as PEM and DER have them.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

/// The longest PEM, in bytes: an RSA key of 8192 bits has 1.5 kB.
const MAX_PEM_LENGTH: usize = 4 * 1024;
/// The RSA keys that are taken, in bits: what the library that verifies takes.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// The algorithm of each kind of key, as `AlgorithmIdentifier`s have it (RFC 5480, RFC 8410, RFC 3279).
const ALGORITHMS: [(KeyAlgorithm, &[u8]); 4] = [
    (KeyAlgorithm::EcdsaP256, b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"),
    (KeyAlgorithm::EcdsaP384, b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"),
    (KeyAlgorithm::Ed25519, b"\x06\x03\x2b\x65\x70"),
    (KeyAlgorithm::Rsa, b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"),
];

/// A public key that signatures can be verified with: a `SubjectPublicKeyInfo` (RFC 5280, 4.1) of an algorithm that is known.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicKey {
    der: Vec<u8>,
    algorithm: KeyAlgorithm,
}

/// The kinds of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// ECDSA on NIST's P-256, which cosign makes.
    EcdsaP256,
    /// ECDSA on NIST's P-384.
    EcdsaP384,
    /// Ed25519.
    Ed25519,
    /// RSA of 2048 to 8192 bits.
    Rsa,
}

/// Why a text is no [`PublicKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// It is longer than any key.
    #[error("is longer than {MAX_PEM_LENGTH} bytes")]
    TooLong,
    /// It is not PEM, or more than that.
    #[error("is not one PEM block, -----BEGIN PUBLIC KEY-----")]
    NotPem,
    /// It is secret.
    #[error("is a private key, which must not be sent anywhere: send the public one")]
    Private,
    /// It is PEM of something else.
    #[error("is PEM of something else than a PUBLIC KEY")]
    OtherLabel,
    /// Its bytes are no key of a known kind.
    #[error("is no key that can be verified with: ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits")]
    Unsupported,
}

impl PublicKey {
    /// Parses PEM (RFC 7468).
    pub fn from_pem(text: &str) -> Result<Self, PublicKeyError> {
        if text.len() > MAX_PEM_LENGTH {
            return Err(PublicKeyError::TooLong);
        }
        let block = text.trim_ascii().strip_prefix("-----BEGIN ").ok_or(PublicKeyError::NotPem)?;
        let (label, rest) = block.split_once("-----").ok_or(PublicKeyError::NotPem)?;
        if label.contains("PRIVATE") {
            return Err(PublicKeyError::Private);
        }
        if label != "PUBLIC KEY" {
            return Err(PublicKeyError::OtherLabel);
        }
        let body = rest.strip_suffix("-----END PUBLIC KEY-----").ok_or(PublicKeyError::NotPem)?;
        let body: String = body.chars().filter(|sign| !sign.is_ascii_whitespace()).collect();
        Self::from_der(&STANDARD.decode(body).map_err(|_| PublicKeyError::NotPem)?)
    }

    /// Parses DER, as KMS answers it.
    pub fn from_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        let algorithm = algorithm(der).ok_or(PublicKeyError::Unsupported)?;
        Ok(Self { der: der.to_vec(), algorithm })
    }

    /// The key's bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its kind.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.algorithm)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(text: String) -> Result<Self, PublicKeyError> {
        Self::from_pem(&text)
    }
}

/// The kind of a key that is one from its first byte to its last.
fn algorithm(der: &[u8]) -> Option<KeyAlgorithm> {
    let (info, rest) = element(SEQUENCE, der)?;
    let (identifier, key) = element(SEQUENCE, info)?;
    let (key, trailing) = element(BIT_STRING, key)?;
    // Keys are whole bytes: no bit of the last one is unused.
    let key = key.strip_prefix(&[0])?;
    let (algorithm, _) = ALGORITHMS.into_iter().find(|(_, bytes)| *bytes == identifier)?;
    let is_point = |length: usize| key.len() == 2 * length + 1 && key[0] == 4;
    let is_key = match algorithm {
        KeyAlgorithm::EcdsaP256 => is_point(32),
        KeyAlgorithm::EcdsaP384 => is_point(48),
        KeyAlgorithm::Ed25519 => key.len() == 32,
        KeyAlgorithm::Rsa => is_rsa(key)?,
    };
    (is_key && rest.is_empty() && trailing.is_empty()).then_some(algorithm)
}

/// Whether it is an `RSAPublicKey` (RFC 8017, A.1.1) of a size that is taken.
fn is_rsa(key: &[u8]) -> Option<bool> {
    let (numbers, rest) = element(SEQUENCE, key)?;
    let (modulus, numbers) = element(INTEGER, numbers)?;
    let (exponent, trailing) = element(INTEGER, numbers)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let leading = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    let is_taken = RSA_BITS.contains(&(8 * modulus.len() - leading));
    Some(is_taken && !exponent.is_empty() && rest.is_empty() && trailing.is_empty())
}

/// The content of the DER element that begins here, if it is one of this kind, and what comes after it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (length, rest) = match rest {
        [length @ 0..=0x7f, rest @ ..] | [0x81, length @ 0x80..=0xff, rest @ ..] => (usize::from(*length), rest),
        [0x82, high @ 1..=0xff, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}
