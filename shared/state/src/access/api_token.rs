//! Tokens of the API, besides the stack's first one.

use moorage_domain::{Generation, Namespace, SecretString, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    access::{
        permission::Role,
        token_secret::{self, hash, new_secret},
    },
    people::user::UserRef,
};

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
    /// The person who made it, or the first of the tokens that did. It is good only as long as they are there and enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserRef>,
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
    /// The person who makes it, if it is one. What a person's token makes is theirs without that.
    pub user: Option<UserRef>,
}

impl ApiToken {
    /// A new token, and what its holder shows: the only time that it can be had.
    pub fn generate(new: NewApiToken, now: Timestamp) -> (Self, SecretString) {
        let (id, secret) = (Uuid::new_v4(), new_secret());
        let shown = SecretString::from(format!("{}{secret}", id.simple()));
        let end = new.maker.as_ref().and_then(|maker| maker.expires_at);
        let user = new.user.or_else(|| new.maker.as_ref()?.user.clone());
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
            user,
            secret_hash: hash(&secret),
        };
        (token, shown)
    }

    /// The id in a token that somebody shows, if it has the form of one.
    pub fn id_of(shown: &str) -> Option<Uuid> {
        token_secret::id_of(shown)
    }

    /// The hash to compare with [`ApiToken::secret_hash`].
    pub fn hash_of(shown: &str) -> String {
        token_secret::hash_of(shown)
    }

    /// SHA-256 of the secret part, in hexadecimal.
    pub fn secret_hash(&self) -> &str {
        &self.secret_hash
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::ExposeSecret as _;

    use super::*;
    use crate::people::user::tests::user;

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
            user: None,
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
                user: None,
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
    #[test]
    fn what_a_persons_token_makes_is_the_persons() {
        let ann = UserRef::from(&user("ann", 1));
        let make = |maker: Option<&ApiToken>, user: Option<&UserRef>| {
            let new = NewApiToken {
                description: String::new(),
                namespace: None,
                role: Role::Read,
                created_by: String::new(),
                expires_at: None,
                organization_id: Generation::default(),
                maker: maker.cloned(),
                user: user.cloned(),
            };
            ApiToken::generate(new, Timestamp::from_unix(0)).0
        };
        let first = make(None, Some(&ann));
        let third = make(Some(&make(Some(&first), None)), None);
        assert_eq!((first.user.as_ref(), third.user.as_ref()), (Some(&ann), Some(&ann)));
        assert_eq!(make(Some(&make(None, None)), None).user, None);
    }
}
