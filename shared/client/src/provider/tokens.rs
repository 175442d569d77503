//! What a provider gives.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use moorage_domain::{SecretString, Timestamp};
use serde_json::{Map, Value};

/// What a provider gives: who somebody is, and by what that is said anew.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Who somebody is, signed. The API looks whether it is good; here it is believed when it ends.
    pub id_token: SecretString,
    /// What another one is given for, if one is.
    pub refresh_token: Option<SecretString>,
}

impl Tokens {
    pub(super) fn read(answer: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let id_token = text("id_token")?;
        // What goes into a header of each call, and has an end.
        Claims::of(id_token)?;
        Some(Self { id_token: id_token.into(), refresh_token: text("refresh_token").map(SecretString::from) })
    }

    /// With the refresh token that these were given for, if they bring no other (RFC 6749, 6).
    pub(super) fn or_refreshed_by(mut self, refresh_token: &SecretString) -> Self {
        self.refresh_token.get_or_insert_with(|| refresh_token.clone());
        self
    }
}

/// What an id token says, by its own word: whether it is good is for the API to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who somebody is at the issuer.
    pub subject: Option<String>,
    /// When it was made, by the issuer's clock.
    pub issued: Option<Timestamp>,
    /// When it ends, by that clock.
    pub ends: Timestamp,
}

impl Claims {
    /// Those of an id token; nothing if it is none.
    pub fn of(id_token: &str) -> Option<Self> {
        let mut parts = id_token.split('.');
        let (payload, is_signed) = (parts.nth(1)?, parts.next().is_some_and(|it| !it.is_empty()));
        let is_plain = id_token.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_signed || parts.next().is_some() || !is_plain {
            return None;
        }
        let claims: Map<String, Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let subject = claims.get("sub").and_then(Value::as_str).map(str::to_owned);
        Some(Self { subject, issued: claims.get("iat").and_then(date), ends: claims.get("exp").and_then(date)? })
    }

    /// When it ends by the clock of whoever got it then: clocks differ, and for how long it is good they do not.
    pub fn ends_after(&self, received: Timestamp) -> Timestamp {
        let Some(issued) = self.issued else { return self.ends };
        Timestamp::from_unix(received.unix().saturating_add(self.ends.unix().saturating_sub(issued.unix())))
    }
}

/// A date of a token. It may have a fraction (RFC 7519, 2).
fn date(claim: &Value) -> Option<Timestamp> {
    let whole = claim.as_i64().or_else(|| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a moment beyond what is a number is as good as the last one"
        )]
        claim.as_f64().map(|seconds| seconds as i64)
    });
    whole.map(Timestamp::from_unix)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn a_token_says_when_it_ends() {
        let claims = |payload| Claims::of(&token(payload)).unwrap();
        assert_eq!(claims(r#"{"exp": 1767225600}"#).ends.iso(), "2026-01-01T00:00:00Z");
        assert_eq!(claims(r#"{"exp": 1767225600.7}"#).ends.iso(), "2026-01-01T00:00:00Z");
        let whole = token(r#"{"exp": 1}"#);
        for wrong in [
            String::new(),
            "a.b".into(),
            "opaque".into(),
            format!("{whole}.x"),
            format!("{whole}\n"),
            token("{}"),
            token("[]"),
            token(r#"{"exp": "1"}"#),
        ] {
            assert_eq!(Claims::of(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_is_as_good_where_the_clock_is_another() {
        let ends =
            |payload, received| Claims::of(&token(payload)).unwrap().ends_after(Timestamp::from_unix(received)).unix();
        let whole = r#"{"iat": 1000, "exp": 1600, "sub": "ann"}"#;
        assert_eq!([1_001, 8_200, 0].map(|received| ends(whole, received)), [1_601, 8_800, 600]);
        assert_eq!(ends(r#"{"exp": 1600}"#, 8_200), 1_600);
        assert_eq!(ends(r#"{"iat": 1600, "exp": 1000}"#, 8_200), 7_600, "one that ends before it begins has ended");
        assert_eq!(Claims::of(&token(whole)).unwrap().subject.as_deref(), Some("ann"));
    }

    #[test]
    fn there_may_be_no_refresh_token_and_an_id_token_there_is() {
        let read = |answer: Value| Tokens::read(answer.as_object().unwrap());
        let id_token = token(r#"{"exp": 1}"#);
        let plain = read(json!({"id_token": id_token, "access_token": "x"})).unwrap();
        assert!(plain.refresh_token.is_none());
        assert!(plain.or_refreshed_by(&"hunter2".into()).refresh_token.is_some());
        assert!(read(json!({"access_token": "x"})).is_none());
        assert!(read(json!({"id_token": "opaque"})).is_none());
    }
}
