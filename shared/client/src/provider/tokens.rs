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
        ends(id_token)?;
        Some(Self { id_token: id_token.into(), refresh_token: text("refresh_token").map(SecretString::from) })
    }

    /// With the refresh token that these were given for, if they bring no other (RFC 6749, 6).
    pub(super) fn or_refreshed_by(mut self, refresh_token: &SecretString) -> Self {
        self.refresh_token.get_or_insert_with(|| refresh_token.clone());
        self
    }
}

/// When an id token ends, by its own word; nothing if it is none.
pub fn ends(id_token: &str) -> Option<Timestamp> {
    let mut parts = id_token.split('.');
    let (payload, is_signed) = (parts.nth(1)?, parts.next().is_some_and(|it| !it.is_empty()));
    let is_plain = id_token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_signed || parts.next().is_some() || !is_plain {
        return None;
    }
    let claims: Map<String, Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    // It may have a fraction (RFC 7519, 2).
    let exp = claims.get("exp")?;
    let whole = exp.as_i64().or_else(|| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a moment beyond what is a number is as good as the last one"
        )]
        exp.as_f64().map(|seconds| seconds as i64)
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
        assert_eq!(ends(&token(r#"{"exp": 1767225600}"#)).unwrap().iso(), "2026-01-01T00:00:00Z");
        assert_eq!(ends(&token(r#"{"exp": 1767225600.7}"#)).unwrap().iso(), "2026-01-01T00:00:00Z");
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
            assert_eq!(ends(&wrong), None, "{wrong}");
        }
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
