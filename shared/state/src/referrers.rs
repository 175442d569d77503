//! When a repository's referrers were last asked for.

use moorage_domain::{RepositoryName, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{StateError, Table, TransitionError, key::Key};

#[derive(Serialize, Deserialize)]
struct ReferrersItem {
    checked_at: Timestamp,
}

impl Table {
    /// When the registry was last asked what refers to each image of the repository.
    pub async fn referrers_checked(&self, repository: &RepositoryName) -> Result<Option<Timestamp>, StateError> {
        let item: Option<ReferrersItem> = self.get(Key::Referrers(repository)).await?;
        Ok(item.map(|item| item.checked_at))
    }

    /// Records that it was asked, by whom `claim` is for.
    pub async fn put_referrers_checked(
        &self,
        repository: &RepositoryName,
        checked_at: Timestamp,
        claim: Uuid,
    ) -> Result<(), TransitionError> {
        self.put_claimed(repository, claim, Key::Referrers(repository), &ReferrersItem { checked_at }).await
    }
}
