//! The keys that a provider publishes (RFC 7517): those of them that can have signed a token.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    algorithm::{Algorithm, PublicKey},
    token::Token,
};

/// The most keys of a document: providers with many tenants have some ten. Each may be tried on a token that names none.
const MAX_KEYS: usize = 100;
/// The longest id of a key, in bytes: most are hashes. It is kept, and compared with each token's.
const MAX_ID: usize = 256;
/// The longest number of a key, in bytes: 8,192 bits, the largest modulus that signatures are verified by. Longer ones would
/// only be kept, or cost time.
const MAX_NUMBER: usize = 1_024;
/// What a point begins with that is not compressed (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A document has no keys that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// It is no set of keys.
    #[error("it is no JSON Web Key Set")]
    Malformed,
    /// There are too many.
    #[error("it has more than {MAX_KEYS} keys")]
    TooMany,
    /// None of them signs tokens, by an algorithm that we take.
    #[error("it has no key that signs tokens")]
    None,
}

/// The keys of a provider.
#[derive(Debug, Clone)]
pub struct Keys(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    /// The one algorithm that the key is for, where the document says so.
    algorithm: Option<Algorithm>,
    public: PublicKey,
}

/// A key as it is published, as far as we read it.
#[derive(Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// The keys of a document. Those that are for something else, or of another kind, are passed over.
    pub fn parse(document: &[u8]) -> Result<Self, KeysError> {
        #[derive(Deserialize)]
        struct Document<'d> {
            // Counted before any is read.
            #[serde(borrow)]
            keys: Vec<&'d RawValue>,
        }
        let Document { keys } = serde_json::from_slice(document).map_err(|_| KeysError::Malformed)?;
        if keys.len() > MAX_KEYS {
            return Err(KeysError::TooMany);
        }
        let read = |key: &RawValue| serde_json::from_str::<Published>(key.get()).ok().and_then(Published::key);
        let keys: Vec<Key> = keys.into_iter().filter_map(read).collect();
        if keys.is_empty() { Err(KeysError::None) } else { Ok(Self(keys)) }
    }

    /// Those that may have signed a token.
    pub(crate) fn of<'k>(&'k self, token: &Token<'_>) -> impl Iterator<Item = &'k PublicKey> {
        let (algorithm, id) = (token.algorithm, token.key_id.clone());
        let fits = move |key: &&Key| {
            let is_named = id.is_none() || key.id == id;
            is_named && key.algorithm.is_none_or(|own| own == algorithm) && algorithm.takes(&key.public)
        };
        self.0.iter().filter(fits).map(|key| &key.public)
    }

    /// Whether any may have signed a token.
    pub(crate) fn know(&self, token: &Token<'_>) -> bool {
        self.of(token).next().is_some()
    }
}

impl Published {
    /// The key, if it signs by an algorithm that we take.
    fn key(self) -> Option<Key> {
        let signs = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|uses| uses.iter().any(|purpose| purpose == "verify"));
        let is_long = self.kid.as_ref().is_some_and(|id| id.len() > MAX_ID);
        if is_long || !(signs && verifies) {
            return None;
        }
        let algorithm = match &self.alg {
            Some(name) => Some(Algorithm::of(name)?),
            None => None,
        };
        let public = self.public()?;
        Some(Key { id: self.kid, algorithm, public })
    }

    fn public(&self) -> Option<PublicKey> {
        let bytes = |text: &Option<String>| {
            let number = BASE64.decode(text.as_deref()?).ok()?;
            (number.len() <= MAX_NUMBER).then_some(number)
        };
        // Both have the length of the curve's field, or the point is none.
        let point = |length: usize| {
            let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
            (x.len() == length && y.len() == length).then(|| [vec![UNCOMPRESSED], x, y].concat())
        };
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Some(PublicKey::Rsa { modulus: bytes(&self.n)?, exponent: bytes(&self.e)? }),
            ("EC", Some("P-256")) => point(32).map(PublicKey::P256),
            ("EC", Some("P-384")) => point(48).map(PublicKey::P384),
            ("OKP", Some("Ed25519")) => bytes(&self.x).filter(|x| x.len() == 32).map(PublicKey::Ed25519),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn only_keys_that_sign_are_taken() {
        let x = BASE64.encode([7; 32]);
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a"});
        let parse = |keys: &Value| Keys::parse(json!({"keys": keys}).to_string().as_bytes()).map(|keys| keys.0.len());
        assert_eq!(parse(&json!([key, key])), Ok(2));
        let with = |name: &str, value: Value| {
            let mut key = key.clone();
            key[name] = value;
            key
        };
        for other in [
            with("use", json!("enc")),
            with("key_ops", json!(["encrypt"])),
            with("alg", json!("HS256")),
            with("alg", json!("none")),
            with("x", json!("AA")),
            with("x", json!("not base64!")),
            with("crv", json!("X25519")),
            with("kty", json!("AKP")),
            with("kid", json!(7)),
            with("kid", json!("k".repeat(MAX_ID + 1))),
            json!({"kty": "RSA", "n": BASE64.encode([9; MAX_NUMBER + 1]), "e": "AQAB"}),
            json!({"kty": "RSA", "n": "CQkJ", "e": BASE64.encode([9; MAX_NUMBER + 1])}),
            json!({"kty": "oct", "k": x}),
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": "AA"}),
            json!("a key"),
        ] {
            assert_eq!(parse(&json!([other])), Err(KeysError::None), "{other}");
            assert_eq!(parse(&json!([other, key])), Ok(1), "a key of another kind spoils no others");
        }
        for used in [with("use", json!("sig")), with("key_ops", json!(["verify"])), with("alg", json!("EdDSA"))] {
            assert_eq!(parse(&json!([used])), Ok(1), "{used}");
        }
        let largest =
            json!({"kty": "RSA", "n": BASE64.encode([9; MAX_NUMBER]), "e": "AQAB", "kid": "k".repeat(MAX_ID)});
        assert_eq!(parse(&json!([largest])), Ok(1));
        assert_eq!(parse(&json!(vec![key.clone(); MAX_KEYS])), Ok(MAX_KEYS));
        assert_eq!(parse(&json!(vec![key; MAX_KEYS + 1])), Err(KeysError::TooMany));
        assert_eq!(parse(&json!(vec![0; MAX_KEYS + 1])), Err(KeysError::TooMany), "whatever they are");
        for document in ["", "{}", "[]", r#"{"keys": {}}"#] {
            assert_eq!(Keys::parse(document.as_bytes()).err(), Some(KeysError::Malformed), "{document}");
        }
    }
}
