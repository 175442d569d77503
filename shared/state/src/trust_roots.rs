//! Whom signatures are believed by: trusted roots, as an operator has set them, or as the last refresh has left them.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Timestamp, failure::Failure, signature_policy::TrustRootId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    key::{Key, TRUST, prefix},
};

/// The most trusted roots: each is refreshed every day.
pub const MAX_TRUST_ROOTS: usize = 32;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTrustRoot {
    /// Its name.
    pub id: TrustRootId,
    /// Itself, in JSON, as TUF distributes it; none where no refresh has succeeded yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_root: Option<String>,
    /// When it was last set, or found to be what the repository has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<Timestamp>,
    /// Until when it is believed; none as long as it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// From where it is refreshed; none if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuf: Option<TufSource>,
    /// Why the last refresh failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Another one with each change.
    pub revision: Uuid,
}

/// A repository of The Update Framework.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TufSource {
    /// Where its metadata are.
    pub url: String,
    /// What the next refresh begins with, as `moorage-signatures` writes it.
    pub anchor: String,
}

impl StoredTrustRoot {
    /// The root, and until when it is believed; nothing if there is none yet.
    pub fn believed(self) -> Option<(String, Timestamp)> {
        Some((self.trusted_root?, self.until.unwrap_or(Timestamp::from_unix(i64::MAX))))
    }
}

impl Table {
    /// A trusted root.
    pub async fn trust_root(&self, id: &TrustRootId) -> Result<Option<StoredTrustRoot>, StateError> {
        self.get(Key::TrustRoot(id)).await
    }

    /// All of them.
    pub async fn trust_roots(&self) -> Result<Vec<StoredTrustRoot>, StateError> {
        self.all(TRUST.to_owned(), prefix::TRUST_ROOT).await
    }

    /// Sets a trusted root, whatever it was.
    pub async fn put_trust_root(&self, root: &StoredTrustRoot) -> Result<(), StateError> {
        self.put(Key::TrustRoot(&root.id), root).await
    }

    /// Sets one that has not been set by anybody else since it had this revision, or was not there;
    /// [`StateError::Conflict`] if it has been.
    pub async fn refresh_trust_root(&self, root: &StoredTrustRoot, before: Option<Uuid>) -> Result<(), StateError> {
        let revision = AttributeValue::S(before.unwrap_or_default().to_string());
        let condition = if before.is_some() { "#mine = :mine" } else { "attribute_not_exists(#mine) OR #mine = :mine" };
        self.put_if(Key::TrustRoot(&root.id), root, condition, ("revision", revision)).await
    }

    /// Forgets a trusted root.
    pub async fn delete_trust_root(&self, id: &TrustRootId) -> Result<(), StateError> {
        self.delete(Key::TrustRoot(id)).await
    }
}
