//! Signatures of deliveries: Standard Webhooks' of what goes out, GitHub's of what comes in.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::event::Event;
use crate::{ExposeSecret as _, SecretString};

/// What a secret begins with.
const SECRET_PREFIX: &str = "whsec_";
/// How many bytes a secret has (Standard Webhooks, "Signature scheme").
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 24..=64;
/// The version of a symmetric signature.
const VERSION: &str = "v1";
/// What GitHub's signatures begin with.
const GITHUB_PREFIX: &str = "sha256=";
/// How many bytes of a hash an id has: enough that no two are ever alike.
const ID_BYTES: usize = 16;

/// A secret that deliveries are signed with: `whsec_` and base64 of 24 to 64 bytes. Never printed, wiped when dropped.
#[derive(Debug, Clone)]
pub struct SigningSecret(SecretString);

/// Why a text is no secret. It says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {SECRET_PREFIX} and base64 of {} to {} bytes", SECRET_LENGTH.start(), SECRET_LENGTH.end())]
pub struct InvalidSecret;

/// The name of a message, by which a receiver knows one that comes twice. It is the same however often, and by whomever, the
/// message is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageId(String);

impl SigningSecret {
    /// Parses one.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        key(text).map(|_| Self(text.into()))
    }

    /// Of random bytes.
    pub fn of(random: &[u8; 32]) -> Self {
        Self(format!("{SECRET_PREFIX}{}", STANDARD.encode(random)).into())
    }

    /// The text, to be encrypted, or shown once to whoever asked for it.
    pub fn text(&self) -> &SecretString {
        &self.0
    }

    /// The signature of a message: `v1,` and base64 of the HMAC of its id, the time in seconds, and its body.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Result<String, InvalidSecret> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key(self.0.expose_secret())?).map_err(|_| InvalidSecret)?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Ok(format!("{VERSION},{}", STANDARD.encode(mac.finalize().into_bytes())))
    }

    /// Standard Webhooks' headers of a message. While a secret is replaced there are two, and a signature by each.
    pub fn headers(
        secrets: &[Self],
        id: &MessageId,
        timestamp: i64,
        body: &[u8],
    ) -> Result<Vec<(&'static str, String)>, InvalidSecret> {
        let signatures = secrets.iter().map(|secret| secret.sign(&id.0, timestamp, body));
        let signatures = signatures.collect::<Result<Vec<_>, _>>()?.join(" ");
        let signature = (!signatures.is_empty()).then_some(("webhook-signature", signatures));
        let others = [("webhook-id", id.0.clone()), ("webhook-timestamp", timestamp.to_string())];
        Ok(others.into_iter().chain(signature).collect())
    }
}

/// The bytes of a secret.
fn key(text: &str) -> Result<Vec<u8>, InvalidSecret> {
    let encoded = text.strip_prefix(SECRET_PREFIX).ok_or(InvalidSecret)?;
    // Whatever is longer has more bytes than a secret has.
    if encoded.len() > SECRET_LENGTH.end().div_ceil(3) * 4 {
        return Err(InvalidSecret);
    }
    STANDARD.decode(encoded).ok().filter(|key| SECRET_LENGTH.contains(&key.len())).ok_or(InvalidSecret)
}

impl MessageId {
    /// Of what is told to one notification: an event of what `subject` names, as a run's id.
    pub fn new(notification: Uuid, event: Event, subject: &str) -> Self {
        let hash = Sha256::digest(format!("{notification}/{event}/{subject}"));
        Self(format!("msg_{}", hex::encode(hash.get(..ID_BYTES).unwrap_or_default())))
    }

    /// Of a message that was made before.
    pub fn known(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text. It holds no full stop, which would part it in what is signed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a body is signed as GitHub signs (`X-Hub-Signature-256`), compared in constant time. An empty secret signs nothing.
pub fn is_github(secret: &SecretString, header: &str, body: &[u8]) -> bool {
    let secret = secret.expose_secret();
    let signature = header.strip_prefix(GITHUB_PREFIX).and_then(|hex| hex::decode(hex).ok());
    let (Some(signature), false) = (signature, secret.is_empty()) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example that Standard Webhooks publishes.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_published_example() {
        let secret = SigningSecret::parse(SECRET).unwrap();
        assert_eq!(secret.sign(ID, TIMESTAMP, BODY).unwrap(), SIGNATURE);
        assert_ne!(secret.sign(ID, TIMESTAMP + 1, BODY).unwrap(), SIGNATURE);
        let headers = |secrets: &[SigningSecret]| {
            SigningSecret::headers(secrets, &MessageId(ID.to_owned()), TIMESTAMP, BODY).unwrap()
        };
        let (id, time) = (("webhook-id", ID.to_owned()), ("webhook-timestamp", TIMESTAMP.to_string()));
        assert_eq!(headers(&[]), [id.clone(), time.clone()], "without a secret it can still be known again");
        let other = SigningSecret::of(&[7; 32]);
        let both = format!("{SIGNATURE} {}", other.sign(ID, TIMESTAMP, BODY).unwrap());
        assert_eq!(headers(&[secret, other]), [id, time, ("webhook-signature", both)]);
    }

    #[test]
    fn secrets_have_their_form_and_are_never_printed() {
        let of = |length: usize| format!("whsec_{}", STANDARD.encode(vec![1_u8; length]));
        for text in [SECRET.to_owned(), of(24), of(64), SigningSecret::of(&[1; 32]).text().expose_secret().to_owned()] {
            let secret = SigningSecret::parse(&text).unwrap();
            assert_eq!(secret.text().expose_secret(), text);
            assert!(!format!("{secret:?}").contains(&text[6..]), "{secret:?}");
        }
        for text in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_????", &of(23), &of(65), &of(100_000)] {
            assert_eq!(SigningSecret::parse(text).unwrap_err(), InvalidSecret);
        }
        assert_eq!(InvalidSecret.to_string(), "must be whsec_ and base64 of 24 to 64 bytes");
    }

    #[test]
    fn a_message_is_known_again() {
        let id = |subject: &str| MessageId::new(Uuid::nil(), Event::Failed, subject);
        assert_eq!(id("run"), id("run"));
        assert_ne!(id("run"), id("another"));
        assert_ne!(id("run"), MessageId::new(Uuid::nil(), Event::Changed, "run"));
        assert!(id("run").as_str().starts_with("msg_") && !id("a.b").as_str().contains('.'));
    }

    #[test]
    fn what_github_has_signed() {
        // GitHub's own example, "Validating webhook deliveries".
        let (secret, body) = (SecretString::from("It's a Secret to Everybody"), b"Hello, World!");
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(is_github(&secret, good, body));
        assert!(!is_github(&secret, good, b"Hello, world!"));
        assert!(!is_github(&"another".into(), good, body));
        for header in ["", "sha256=", &good[7..], &good[..good.len() - 2], &good.replace("sha256", "sha1"), "sha256=zz"]
        {
            assert!(!is_github(&secret, header, body), "{header}");
        }
        let mac = Hmac::<Sha256>::new_from_slice(b"").unwrap().chain_update(body).finalize().into_bytes();
        assert!(!is_github(&"".into(), &format!("sha256={}", hex::encode(mac)), body), "no secret signs nothing");
    }
}
