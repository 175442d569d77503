//! A code that somebody confirms elsewhere (RFC 8628, 3.2).

use std::time::Duration;

use moorage_domain::SecretString;
use serde_json::{Map, Value};

use crate::provider::endpoint::Endpoint;

/// The longest code that somebody has to type.
const USER_CODE: usize = 64;
/// The longest that a code lives: whoever has not confirmed by then has gone away.
const LONGEST: u64 = 1_800;
/// Seconds between two questions, if they are not said (RFC 8628, 3.2).
const INTERVAL: u64 = 5;
/// The most seconds between two questions that are waited for.
const MOST: u64 = 60;

/// A code that somebody confirms elsewhere.
#[derive(Debug, Clone)]
pub struct Authorization {
    pub(super) device_code: SecretString,
    /// What is to be typed: letters, digits and signs alone.
    pub user_code: String,
    /// Where.
    pub verification_uri: Endpoint,
    /// The same with the code in it, if there is one.
    pub verification_uri_complete: Option<Endpoint>,
    /// How long it is good.
    pub expires_in: Duration,
    pub(super) interval: Duration,
}

impl Authorization {
    /// Reads it. A code that is not plain is none: it is shown.
    pub(super) fn read(answer: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let number = |name: &str| answer.get(name).and_then(Value::as_u64);
        let user_code = text("user_code").filter(|code| code.len() <= USER_CODE)?;
        if !user_code.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return None;
        }
        // Google's has another name.
        let uri = text("verification_uri").or_else(|| text("verification_url"))?;
        Some(Self {
            device_code: text("device_code")?.into(),
            user_code: user_code.to_owned(),
            verification_uri: Endpoint::parse(uri).ok()?,
            verification_uri_complete: text("verification_uri_complete").and_then(|uri| Endpoint::parse(uri).ok()),
            expires_in: Duration::from_secs(number("expires_in")?.min(LONGEST)),
            interval: Duration::from_secs(number("interval").unwrap_or(INTERVAL).clamp(1, MOST)),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: &Value) -> Option<Authorization> {
        let mut answer = json!({
            "device_code": "hunter2", "user_code": "ABCD-EFGH", "verification_uri": "https://h/device", "expires_in": 600,
        });
        answer.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Authorization::read(answer.as_object().unwrap())
    }

    #[test]
    fn what_is_shown_is_plain_and_what_is_waited_for_ends() {
        let plain = read(&json!({})).unwrap();
        assert_eq!((plain.expires_in.as_secs(), plain.interval.as_secs()), (600, 5));
        assert!(!format!("{plain:?}").contains("hunter2"));
        let other =
            read(&json!({"interval": 0, "expires_in": 1_000_000_000, "verification_uri_complete": "javascript:x"}));
        let other = other.unwrap();
        assert_eq!((other.expires_in.as_secs(), other.interval.as_secs()), (LONGEST, 1));
        assert_eq!(other.verification_uri_complete, None);
        assert_eq!(read(&json!({"interval": 9_000})).unwrap().interval.as_secs(), MOST);
        for wrong in [
            json!({"user_code": "AB\u{1b}[2J"}),
            json!({"user_code": "AB\nCD"}),
            json!({"user_code": "АВ"}),
            json!({"user_code": ""}),
            json!({"user_code": "x".repeat(65)}),
            json!({"device_code": null}),
            json!({"verification_uri": "http://login.example.com/device"}),
            json!({"expires_in": -1}),
        ] {
            assert!(read(&wrong).is_none(), "{wrong}");
        }
    }
}
