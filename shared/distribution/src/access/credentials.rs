//! What a client shows: nothing, a user name with a password, or a token.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderMap, header::AUTHORIZATION};
use moorage_domain::SecretString;

/// The longest `Authorization` that can be one of ours, in bytes: API Gateway takes little more.
const MAX_LENGTH: usize = 8 * 1024;

/// The `Authorization` of a request.
#[derive(Debug)]
pub(crate) enum Credentials {
    /// None.
    Anonymous,
    /// `Basic`.
    Basic(String, SecretString),
    /// `Bearer`.
    Bearer(SecretString),
}

/// An `Authorization` that is none, or more than one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Credentials {
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Malformed> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(Self::Anonymous) };
        if values.next().is_some() || value.len() > MAX_LENGTH {
            return Err(Malformed);
        }
        let (scheme, value) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(Malformed)?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !value.is_empty() {
            return Ok(Self::Bearer(value.into()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Malformed);
        }
        let pair = BASE64.decode(value).ok().and_then(|pair| String::from_utf8(pair).ok()).ok_or(Malformed)?;
        let (user, password) = pair.split_once(':').ok_or(Malformed)?;
        Ok(Self::Basic(user.to_owned(), password.into()))
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::ExposeSecret as _;

    use super::*;

    #[test]
    fn authorization_is_none_basic_or_bearer() {
        let of = |values: &[&str]| {
            let headers = values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect();
            match Credentials::of(&headers) {
                Ok(Credentials::Anonymous) => "anonymous".to_owned(),
                Ok(Credentials::Basic(user, password)) => format!("{user} {}", password.expose_secret()),
                Ok(Credentials::Bearer(token)) => format!("bearer {}", token.expose_secret()),
                Err(Malformed) => "malformed".to_owned(),
            }
        };
        let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair));
        assert_eq!(of(&[]), "anonymous");
        assert_eq!(of(&["Bearer abc"]), "bearer abc");
        assert_eq!(of(&["bearer  abc "]), "bearer abc");
        assert_eq!(of(&[&basic("a+b:c:d")]), "a+b c:d", "a password may hold colons");
        for value in ["", "Basic", "Bearer ", "Basic %", "Digest x", "Bearer", &basic("nobody")] {
            assert_eq!(of(&[value]), "malformed", "{value}");
        }
        assert_eq!(of(&["Bearer a", "Bearer b"]), "malformed");
        assert_eq!(of(&[&format!("Bearer {}", "a".repeat(MAX_LENGTH))]), "malformed");
    }
}
