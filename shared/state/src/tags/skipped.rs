//! Tags that a mirror's architecture filter leaves out, so that nobody has to look at their images again.

use std::collections::BTreeMap;

use moorage_domain::{Digest, RepositoryName, TagName};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, prefix, repository_pk},
    transaction::Transaction,
};

/// What a tag was skipped for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedTag {
    /// The registry's digest of it.
    pub digest: Digest,
    /// The filter that left it out.
    pub architectures: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SkippedItem {
    tag: TagName,
    #[serde(flatten)]
    skipped: SkippedTag,
}

impl Table {
    /// All tags of a repository that were skipped.
    pub async fn skipped(&self, repository: &RepositoryName) -> Result<BTreeMap<TagName, SkippedTag>, StateError> {
        let items: Vec<SkippedItem> = self.all(repository_pk(repository), prefix::SKIPPED).await?;
        Ok(items.into_iter().map(|item| (item.tag, item.skipped)).collect())
    }

    /// Records that a tag was skipped, as a part of a transaction.
    #[expect(clippy::unused_self, reason = "a part of the table's interface")]
    pub(crate) fn put_skipped(
        &self,
        transaction: &mut Transaction<'_>,
        repository: &RepositoryName,
        tag: &TagName,
        skipped: &SkippedTag,
    ) -> Result<(), StateError> {
        transaction.put(Key::Skipped(repository, tag), &SkippedItem { tag: tag.clone(), skipped: skipped.clone() })
    }
}
