//! Tokens of the API, besides the stack's first one.

use moorage_domain::{Namespace, SecretString, Timestamp};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    Role, StateError, Table,
    error::or_gone,
    key::{API_TOKENS, Key, prefix},
    table::Query,
};

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
    /// The token that makes it.
    pub created_by: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// Some tokens, and where the next page begins.
#[derive(Debug)]
pub struct ApiTokenPage {
    /// The tokens.
    pub tokens: Vec<ApiToken>,
    /// What to pass to [`Table::api_tokens`] for the next page.
    pub next: Option<String>,
}

impl ApiToken {
    /// A new token, and what its holder shows: the only time that it can be had.
    pub fn generate(new: NewApiToken, now: Timestamp) -> (Self, SecretString) {
        let (id, secret) = (Uuid::new_v4(), hex::encode(rand::rng().random::<[u8; SECRET_LENGTH]>()));
        let shown = SecretString::from(format!("{}{secret}", id.simple()));
        let token = Self {
            id,
            description: new.description,
            namespace: new.namespace,
            role: new.role,
            created: now,
            created_by: new.created_by,
            expires_at: new.expires_at,
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

impl Table {
    /// Records a token.
    pub async fn create_api_token(&self, token: &ApiToken) -> Result<(), StateError> {
        self.create(Key::ApiToken(token.id), token).await
    }

    /// Reads a token that has not ended.
    pub async fn api_token(&self, id: Uuid, now: Timestamp) -> Result<Option<ApiToken>, StateError> {
        let token: Option<ApiToken> = self.get(Key::ApiToken(id)).await?;
        Ok(token.filter(|token| token.expires_at.is_none_or(|end| end > now)))
    }

    /// Tokens, from behind `after`.
    pub async fn api_tokens(
        &self,
        limit: i32,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<ApiTokenPage, StateError> {
        let query = Query {
            pk: API_TOKENS.to_owned(),
            prefix: prefix::API_TOKEN,
            newest_first: false,
            limit: Some(limit),
            after: after.map(|after| format!("{}{after}", prefix::API_TOKEN)),
        };
        let page = self.page::<ApiToken>(query).await?;
        let current = |token: &ApiToken| token.expires_at.is_none_or(|end| end > now);
        let next = page.next.and_then(|sk| sk.strip_prefix(prefix::API_TOKEN).map(str::to_owned));
        Ok(ApiTokenPage { tokens: page.items.into_iter().filter(current).collect(), next })
    }

    /// Revokes all tokens of a namespace. Whoever takes its name later must not meet them again.
    pub async fn delete_api_tokens_of(&self, namespace: &Namespace) -> Result<(), StateError> {
        let tokens: Vec<ApiToken> = self.all(API_TOKENS.to_owned(), prefix::API_TOKEN).await?;
        for token in tokens.iter().filter(|token| token.namespace.as_ref() == Some(namespace)) {
            or_gone(self.delete_api_token(token.id).await)?;
        }
        Ok(())
    }

    /// Revokes a token; [`StateError::NotFound`] if there is none.
    pub async fn delete_api_token(&self, id: Uuid) -> Result<(), StateError> {
        self.delete(Key::ApiToken(id)).await
    }
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
}
