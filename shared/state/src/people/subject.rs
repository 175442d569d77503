//! Whom a provider means: each of its subjects is one user here, whatever names it gives them, and one who was deleted comes
//! back by nothing that was issued before.

use std::time::Duration;

use moorage_domain::{Digest, Timestamp, UserName};
use serde::{Deserialize, Serialize};

use crate::{StateError, key::Key, people::user::User, table::Item, transaction::Transaction};

/// How long it is known that a user was deleted: longer than providers' ID tokens are good.
const REMEMBERED: Duration = Duration::from_secs(86_400);

/// By which name a subject is known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    name: UserName,
    /// When that user was deleted, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
    /// When that is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

/// Why a subject may not be a user of some name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// They are a user of another name.
    By(UserName),
    /// They were deleted after the token was issued that they show.
    Deleted,
}

impl Subject {
    /// What is in the way of a user of this name, by a token that was issued then.
    pub(crate) fn held(self, name: &UserName, issued: Timestamp) -> Option<Held> {
        match self.deleted_at {
            Some(deleted_at) => (issued <= deleted_at).then_some(Held::Deleted),
            None => (self.name != *name).then_some(Held::By(self.name)),
        }
    }
}

/// What a subject's item is found by.
pub(crate) fn hash(issuer: &str, subject: &str) -> Digest {
    // No issuer has a line break in it: it is a URL.
    Digest::sha256(format!("{issuer}\n{subject}").as_bytes())
}

/// Makes a subject the user, as a part of a transaction; that refuses it if they are another one, or were deleted since the token
/// was issued by which the user signs in.
pub(crate) fn take(transaction: &mut Transaction<'_>, user: &User) -> Result<(), StateError> {
    let taken = Subject { name: user.name.clone(), deleted_at: None, expires_at: None };
    let values = Item::from([(":issued".to_owned(), serde_dynamo::to_attribute_value(user.signed_in)?)]);
    let free = "attribute_not_exists(#pk) OR #deleted_at < :issued";
    transaction.put_if(Key::Subject(&hash(&user.issuer, &user.subject)), &taken, free, values)
}

/// Remembers for a day that a user is deleted, as a part of the transaction that does it.
pub(crate) fn end(transaction: &mut Transaction<'_>, user: &User, now: Timestamp) -> Result<(), StateError> {
    let ended = Subject { name: user.name.clone(), deleted_at: Some(now), expires_at: Some(now.plus(REMEMBERED)) };
    transaction.put(Key::Subject(&hash(&user.issuer, &user.subject)), &ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_user() {
        let (ann, bob): (UserName, UserName) = ("ann".parse().unwrap(), "bob".parse().unwrap());
        let at = Timestamp::from_unix;
        let live = Subject { name: ann.clone(), deleted_at: None, expires_at: None };
        assert_eq!(live.clone().held(&ann, at(5)), None);
        assert_eq!(live.held(&bob, at(5)), Some(Held::By(ann.clone())));
        let gone = Subject { name: ann.clone(), deleted_at: Some(at(10)), expires_at: Some(at(10).plus(REMEMBERED)) };
        for name in [&ann, &bob] {
            for (issued, held) in [(9, Some(Held::Deleted)), (10, Some(Held::Deleted)), (11, None)] {
                assert_eq!(gone.clone().held(name, at(issued)), held, "{name} {issued}");
            }
        }
    }

    #[test]
    fn a_subject_is_its_issuers() {
        let hashes =
            [("https://a", "1"), ("https://a", "2"), ("https://b", "1"), ("https://a1", ""), ("https://", "a1")];
        let hashes: std::collections::BTreeSet<_> =
            hashes.iter().map(|(issuer, subject)| hash(issuer, subject)).collect();
        assert_eq!(hashes.len(), 5);
    }
}
