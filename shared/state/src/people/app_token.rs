//! Tokens that people pull with, in place of a password.

use moorage_domain::{SecretString, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    access::token_secret::{self, hash, new_secret},
    people::user::{User, UserRef},
};

/// A token of a user, without what it is shown by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppToken {
    /// Its name. It is a part of the token, and tells nothing.
    pub id: Uuid,
    /// What it is for.
    pub title: String,
    /// Whose it is.
    pub user: UserRef,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// SHA-256 of the secret part.
    secret_hash: String,
}

impl AppToken {
    /// A new token of a user, and what they show: the only time that it can be had.
    pub fn generate(title: String, user: &User, expires_at: Option<Timestamp>, now: Timestamp) -> (Self, SecretString) {
        let (id, secret) = (Uuid::new_v4(), new_secret());
        let shown = SecretString::from(format!("{}{secret}", id.simple()));
        let user = UserRef::from(user);
        (Self { id, title, user, created: now, expires_at, secret_hash: hash(&secret) }, shown)
    }

    /// The id in a token that somebody shows, if it has the form of one.
    pub fn id_of(shown: &str) -> Option<Uuid> {
        token_secret::id_of(shown)
    }

    /// The hash to compare with [`AppToken::secret_hash`].
    pub fn hash_of(shown: &str) -> String {
        token_secret::hash_of(shown)
    }

    /// SHA-256 of the secret part, in hexadecimal.
    pub fn secret_hash(&self) -> &str {
        &self.secret_hash
    }

    /// Whether it is good: it has not ended, and this is its very user, and enabled.
    pub(crate) fn is_good_for(&self, user: &User, now: Timestamp) -> bool {
        self.is_live(now) && user.enabled && self.user == UserRef::from(user)
    }

    /// Whether it has not ended.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::ExposeSecret as _;

    use super::*;
    use crate::people::user::tests::user;

    #[test]
    fn a_token_matches_its_hash_and_keeps_no_secret() {
        let at = Timestamp::from_unix;
        let (token, shown) = AppToken::generate("laptop".into(), &user("ann", 1), Some(at(10)), at(0));
        let shown = shown.expose_secret();
        assert_eq!(AppToken::id_of(shown), Some(token.id));
        assert_eq!(AppToken::hash_of(shown), token.secret_hash());
        assert!(!format!("{token:?}").contains(&shown[32..]));
        assert!(token.is_live(at(9)) && !token.is_live(at(10)));
    }
}
