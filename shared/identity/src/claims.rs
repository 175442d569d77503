//! What a verified token says.

use moorage_domain::Timestamp;
use serde_json::{Map, Value};

use crate::error::TokenError;

/// What a token says whose signature, issuer and times were verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// Whose word it is.
    pub issuer: String,
    /// Of whom: within the issuer, nobody else bears it.
    pub subject: String,
    /// For whom.
    pub audiences: Vec<String>,
    /// Since when it is said.
    pub issued: Timestamp,
    /// When the word ends.
    pub expires: Timestamp,
    /// All that is said, these among it.
    pub all: Map<String, Value>,
}

impl Claims {
    /// Whether the token is for one of these.
    pub fn is_for<S: AsRef<str>>(&self, audiences: &[S]) -> bool {
        audiences.iter().any(|audience| self.audiences.iter().any(|own| own == audience.as_ref()))
    }
}

/// A text, which has to be there and not to be empty.
pub(crate) fn text<'c>(claims: &'c Map<String, Value>, name: &'static str) -> Result<&'c str, TokenError> {
    let text = claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or(TokenError::Claim(name))
}

/// A point in time: seconds since the epoch, of which a fraction is cut off.
pub(crate) fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let Value::Number(number) = value else { return Err(TokenError::Claim(name)) };
    let written = number.to_string();
    // What is so large or small as to be written with an exponent is no time.
    if written.contains(['e', 'E']) {
        return Err(TokenError::Claim(name));
    }
    let whole = written.split_once('.').map_or(written.as_str(), |(whole, _)| whole);
    whole.parse().map(Some).map_err(|_| TokenError::Claim(name))
}

/// Whom a token is for: a text, or a list of them, or nobody.
pub(crate) fn audiences(claims: &Map<String, Value>) -> Result<Vec<String>, TokenError> {
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(TokenError::Claim("aud"));
    match claims.get("aud") {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(text).collect(),
        Some(one) => Ok(vec![text(one)?]),
    }
}
