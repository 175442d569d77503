//! Writes that need the claim of a mirror.

use moorage_domain::RepositoryName;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    Table,
    key::Key,
    mirrors::transition::TransitionError,
    transaction::{Committed, Transaction},
};

impl Table {
    /// Writes an item, whatever was there, if `claim` is still the repository's; [`TransitionError::ClaimLost`] if not.
    pub(crate) async fn put_claimed<T: Serialize>(
        &self,
        repository: &RepositoryName,
        claim: Uuid,
        key: Key<'_>,
        value: &T,
    ) -> Result<(), TransitionError> {
        let mut transaction = Transaction::new(self);
        transaction.expect_claim(repository, claim)?;
        transaction.put(key, value)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(TransitionError::ClaimLost),
        }
    }
}
