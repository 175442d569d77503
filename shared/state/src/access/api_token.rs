//! Tokens of the API, besides the stack's first one.

use moorage_domain::{Generation, Namespace, SecretString, Timestamp};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::access::permission::Role;

/// Random bytes of a token: 256 bits.
const SECRET_LENGTH: usize = 32;
/// The length of a token in characters: its id and its secret, both in hexadecimal.
const TOKEN_LENGTH: usize = 32 + 2 * SECRET_LENGTH;

/// A token, without what it is shown by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Its name. It is a part of the token, and tells nothing.
    pub id: Uuid,
    /// What it is for.
    pub description: String,
    /// The namespace that it is limited to; none for all.
    pub namespace: Option<Namespace>,
    /// What it may do there.
    pub role: Role,
    /// When it was made.
    pub created: Timestamp,
    /// The token that made it.
    pub created_by: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Which of the organizations that bore the namespace's name it is limited to.
    #[serde(default)]
    pub organization_id: Generation,
    /// The tokens that made it: the one that did, the one that made that, and so on, the first one first. It is good only as
    /// long as all of them are. The stack's own is not among them.
    #[serde(default)]
    pub makers: Vec<Uuid>,
    /// SHA-256 of the secret part.
    secret_hash: String,
}

/// What a new token is made of.
#[derive(Debug)]
pub struct NewApiToken {
    /// What it is for.
    pub description: String,
    /// The namespace that it is limited to; none for all.
    pub namespace: Option<Namespace>,
    /// What it may do there.
    pub role: Role,
    /// The name of who makes it.
    pub created_by: String,
    /// When it ends. One that another token makes ends with that at the latest.
    pub expires_at: Option<Timestamp>,
    /// Which of the organizations that bore the namespace's name it is limited to.
    pub organization_id: Generation,
    /// The token that makes it; none for the stack's own.
    pub maker: Option<ApiToken>,
}

impl ApiToken {
    /// A new token, and what its holder shows: the only time that it can be had.
    pub fn generate(new: NewApiToken, now: Timestamp) -> (Self, SecretString) {
        let (id, secret) = (Uuid::new_v4(), hex::encode(rand::rng().random::<[u8; SECRET_LENGTH]>()));
        let shown = SecretString::from(format!("{}{secret}", id.simple()));
        let end = new.maker.as_ref().and_then(|maker| maker.expires_at);
        let makers = new.maker.map(|maker| maker.makers.into_iter().chain([maker.id]).collect()).unwrap_or_default();
        let token = Self {
            id,
            description: new.description,
            namespace: new.namespace,
            role: new.role,
            created: now,
            created_by: new.created_by,
            expires_at: new.expires_at.into_iter().chain(end).min(),
            organization_id: new.organization_id,
            makers,
            secret_hash: hash(&secret),
        };
        (token, shown)
    }

    /// The id in a token that somebody shows, if it has the form of one.
    pub fn id_of(shown: &str) -> Option<Uuid> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (shown.len() == TOKEN_LENGTH && shown.bytes().all(is_hex)).then(|| Uuid::try_parse(&shown[..32]).ok())?
    }

    /// The hash to compare with [`ApiToken::secret_hash`].
    pub fn hash_of(shown: &str) -> String {
        hash(shown.get(32..).unwrap_or_default())
    }

    /// SHA-256 of the secret part, in hexadecimal.
    pub fn secret_hash(&self) -> &str {
        &self.secret_hash
    }
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

#[cfg(test)]
mod tests {
    use moorage_domain::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_token_has_its_id_and_matches_its_hash() {
        let new = NewApiToken {
            description: String::new(),
            namespace: None,
            role: Role::Read,
            created_by: "admin".into(),
            expires_at: None,
            organization_id: Generation::default(),
            maker: None,
        };
        let (token, shown) = ApiToken::generate(new, Timestamp::from_unix(0));
        let shown = shown.expose_secret();
        assert_eq!(ApiToken::id_of(shown), Some(token.id));
        assert_eq!(ApiToken::hash_of(shown), token.secret_hash());
        assert!(!format!("{token:?}").contains(&shown[32..]), "the secret is not kept");
        let other = format!("{}{}", &shown[..32], "0".repeat(64));
        assert_ne!(ApiToken::hash_of(&other), token.secret_hash());
        for text in ["", "x", &shown[1..], &shown.to_uppercase(), &"é".repeat(48)] {
            assert_eq!(ApiToken::id_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_token_ends_with_its_maker() {
        let at = Timestamp::from_unix;
        let make = |maker: Option<&ApiToken>, expires_at: Option<i64>| {
            let new = NewApiToken {
                description: String::new(),
                namespace: None,
                role: Role::Admin,
                created_by: String::new(),
                expires_at: expires_at.map(at),
                organization_id: Generation::default(),
                maker: maker.cloned(),
            };
            ApiToken::generate(new, at(0)).0
        };
        let first = make(None, Some(100));
        assert_eq!((first.expires_at, first.makers.len()), (Some(at(100)), 0));
        let (later, never, sooner) =
            (make(Some(&first), Some(200)), make(Some(&first), None), make(Some(&first), Some(50)));
        assert_eq!([&later, &never, &sooner].map(|it| it.expires_at), [100, 100, 50].map(|end| Some(at(end))));
        assert_eq!(make(Some(&sooner), None).makers, [first.id, sooner.id]);
        assert_eq!(make(Some(&make(None, None)), None).expires_at, None);
    }
}
