//! A token's parts (RFC 7515, 7519). Nothing that it says is believed before its signature is verified.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use moorage_domain::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{algorithm::Algorithm, claims::time, error::TokenError};

/// The longest token, in bytes: as much as API Gateway takes of a request's headers. The longest of known providers have
/// a third of that.
const MAX_LENGTH: usize = 8 * 1024;
/// How far the provider's clock and ours may be apart, in seconds.
const LEEWAY: i64 = 60;
/// What a header may say that the token is (RFC 7519, 5.1; RFC 9068, 2.1).
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// A token as it was sent.
#[derive(Debug)]
pub struct Token<'t> {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    /// What is signed.
    pub(crate) signed: &'t str,
    pub(crate) signature: Vec<u8>,
    pub(crate) claims: Map<String, Value>,
}

/// What we read of a header.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl<'t> Token<'t> {
    /// The parts of a token.
    pub fn parse(text: &'t str) -> Result<Self, TokenError> {
        if text.len() > MAX_LENGTH {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let decode = |part: &str| BASE64.decode(part).map_err(|_| TokenError::Malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::Malformed)?;
        let algorithm = Algorithm::of(&header.alg).ok_or(TokenError::Algorithm)?;
        // Whoever does not understand what is critical must not take the token (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        if header.typ.as_deref().is_some_and(|name| !is_token(name)) {
            return Err(TokenError::Type);
        }
        let claims = serde_json::from_slice(&decode(claims)?).map_err(|_| TokenError::Malformed)?;
        Ok(Self { algorithm, key_id: header.kid, signed, signature: decode(signature)?, claims })
    }

    /// Whose token it says it is: by that one finds whom to ask for keys, and no more.
    pub fn claimed_issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// Whether it is of now, by what it says: one that is not need not be looked at any further. Returns when it ends.
    pub fn check_times(&self, now: Timestamp) -> Result<Timestamp, TokenError> {
        let expires = time(&self.claims, "exp")?.ok_or(TokenError::Claim("exp"))?;
        let issued = time(&self.claims, "iat")?.ok_or(TokenError::Claim("iat"))?;
        let begins = time(&self.claims, "nbf")?.unwrap_or(issued);
        if expires.saturating_add(LEEWAY) <= now.unix() {
            return Err(TokenError::Expired);
        }
        if issued.max(begins).saturating_sub(LEEWAY) > now.unix() {
            return Err(TokenError::NotYet);
        }
        Ok(Timestamp::from_unix(expires))
    }
}

fn is_token(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TYPES.contains(&name.strip_prefix("application/").unwrap_or(&name))
}
