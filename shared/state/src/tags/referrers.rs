//! When a repository's referrers were last asked for.

use std::collections::BTreeSet;

use moorage_domain::{Digest, RepositoryName, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{StateError, Table, key::Key, mirrors::transition::TransitionError};

/// The most images that are noted: about what one item of the table holds.
const MAX_AGAIN: usize = 4_000;

/// When a registry was asked what refers to a repository's images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferrersChecked {
    /// When that was, of each image.
    #[serde(rename = "checked_at")]
    pub at: Timestamp,
    /// The images of which the registry did not say it for now, at most some thousands: these are asked for again by the
    /// next sync.
    #[serde(default)]
    pub again: BTreeSet<Digest>,
}

impl Table {
    /// When the registry was last asked what refers to each image of the repository.
    pub async fn referrers_checked(&self, repository: &RepositoryName) -> Result<Option<ReferrersChecked>, StateError> {
        self.get(Key::Referrers(repository)).await
    }

    /// Records that it was asked, by whom `claim` is for.
    pub async fn put_referrers_checked(
        &self,
        repository: &RepositoryName,
        mut checked: ReferrersChecked,
        claim: Uuid,
    ) -> Result<(), TransitionError> {
        // The others wait until all are asked for.
        if let Some(end) = checked.again.iter().nth(MAX_AGAIN).cloned() {
            drop(checked.again.split_off(&end));
        }
        self.put_claimed(repository, claim, Key::Referrers(repository), &checked).await
    }
}
