//! The tokens that clients pull with: for one caller, a few scopes and a short time.

use moorage_domain::{Timestamp, signed_token::Signed};
use serde::{Deserialize, Serialize};

use crate::access::scope::Scope;

/// How long a token works, in seconds. Shorter than a minute is taken for a minute by clients.
pub(crate) const LIFETIME: i64 = 300;
/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// In whose name; empty for nobody's.
    #[serde(rename = "sub")]
    pub(crate) caller: String,
    /// Which credentials were shown: others make the token void.
    pub(crate) credential: String,
    /// When it was made.
    #[serde(rename = "iat")]
    pub(crate) issued: Timestamp,
    /// When it ends.
    #[serde(rename = "exp")]
    pub(crate) expires: Timestamp,
    /// What it is for.
    pub(crate) access: Vec<Scope>,
}

impl Signed for Claims {
    const HEADER: &'static str = r#"{"alg":"HS256","typ":"JWT"}"#;

    fn times(&self) -> (Timestamp, Timestamp) {
        (self.issued, self.expires)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use moorage_domain::{
        ExposeSecret as _, RobotLogin, SecretString,
        signed_token::{Invalid, sign, verify},
    };
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;

    fn claims() -> Claims {
        Claims {
            caller: "a+bot".into(),
            credential: "0123456789abcdef".into(),
            issued: Timestamp::from_unix(1_000),
            expires: Timestamp::from_unix(1_300),
            access: vec![Scope::Pull("a/b".parse().unwrap()), Scope::Catalog],
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    #[test]
    fn tokens_work_for_their_time() {
        let key = SecretString::from("key");
        let token = sign(&key, &claims()).unwrap();
        for now in [940, 1_000, 1_299] {
            assert_eq!(verify(&key, &token, at(now)), Ok(claims()), "{now}");
        }
        for now in [939, 1_300, i64::MAX] {
            assert_eq!(verify::<Claims>(&key, &token, at(now)), Err(Invalid), "{now}");
        }
        assert_eq!(verify::<Claims>(&"other".into(), &token, at(1_000)), Err(Invalid));
    }

    #[test]
    fn the_form_is_that_of_json_web_tokens() {
        let token = sign(&"key".into(), &claims()).unwrap();
        let parts: Vec<_> = token.expose_secret().split('.').collect();
        assert_eq!((parts.len(), parts[0]), (3, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"));
        let payload: serde_json::Value = serde_json::from_slice(&BASE64.decode(parts[1]).unwrap()).unwrap();
        assert_eq!((&payload["sub"], &payload["exp"]), (&"a+bot".into(), &1_300.into()));
    }

    #[test]
    fn claims_of_earlier_builds_are_read() {
        // As they are in tokens that were given out before a deployment; this line is never changed.
        let golden = r#"{"sub":"a+bot","credential":"0123456789abcdef","iat":1000,"exp":1300,"access":[{"type":"repository","name":"a/b","actions":["pull"]},{"type":"registry","name":"catalog","actions":["*"]}]}"#;
        assert_eq!(serde_json::from_str::<Claims>(golden).unwrap(), claims());
        assert_eq!(serde_json::to_string(&claims()).unwrap(), golden);
    }

    #[test]
    fn other_headers_and_other_claims_are_refused() {
        let key = SecretString::from("key");
        let make = |header: &str, payload: &str| {
            let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
            let mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap().chain_update(&signed);
            let signature = mac.finalize().into_bytes();
            SecretString::from(format!("{signed}.{}", BASE64.encode(signature)))
        };
        let payload = serde_json::to_string(&claims()).unwrap();
        assert_eq!(verify(&key, &make(Claims::HEADER, &payload), at(1_000)), Ok(claims()));
        for (header, payload) in [
            (r#"{"alg":"none"}"#, payload.as_str()),
            // Of another kind.
            (RobotLogin::HEADER, payload.as_str()),
            (Claims::HEADER, "{}"),
            (Claims::HEADER, ""),
            (Claims::HEADER, &payload.replace(r#""pull""#, r#""push""#)),
        ] {
            assert_eq!(verify::<Claims>(&key, &make(header, payload), at(1_000)), Err(Invalid), "{header} {payload}");
        }
        for token in ["", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            assert_eq!(verify::<Claims>(&key, &token.into(), at(1_000)), Err(Invalid), "{token}");
        }
    }

    proptest! {
        #[test]
        fn no_changed_token_is_taken_for_another(position in 0usize..400, byte in 0x20u8..0x7f) {
            let key = SecretString::from("key");
            let token = sign(&key, &claims()).unwrap();
            let mut bytes = token.expose_secret().as_bytes().to_vec();
            let position = position % bytes.len();
            let same = bytes[position] == byte;
            bytes[position] = byte;
            let changed = SecretString::from(String::from_utf8(bytes).unwrap());
            let verified = verify(&key, &changed, at(1_000));
            prop_assert_eq!(verified, if same { Ok(claims()) } else { Err(Invalid) });
        }
    }
}
