//! The tags that a repository holds.

use std::collections::BTreeMap;

use moorage_domain::{RepositoryName, TagName, plan::HeldTag};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, prefix, repository_pk},
};

#[derive(Serialize, Deserialize)]
struct TagItem {
    tag: TagName,
    #[serde(flatten)]
    held: HeldTag,
}

impl Table {
    /// All tags that the repository holds.
    pub async fn tags(&self, repository: &RepositoryName) -> Result<BTreeMap<TagName, HeldTag>, StateError> {
        let items: Vec<TagItem> = self.all(repository_pk(repository), prefix::TAG).await?;
        Ok(items.into_iter().map(|item| (item.tag, item.held)).collect())
    }

    /// Records what a tag points to, after the bucket says so.
    pub async fn put_tag(&self, repository: &RepositoryName, tag: &TagName, held: HeldTag) -> Result<(), StateError> {
        self.put(Key::Tag(repository, tag), &TagItem { tag: tag.clone(), held }).await
    }

    /// Forgets a tag, after the bucket has.
    pub async fn delete_tag(&self, repository: &RepositoryName, tag: &TagName) -> Result<(), StateError> {
        match self.delete(Key::Tag(repository, tag)).await {
            Err(StateError::NotFound) => Ok(()),
            result => result,
        }
    }
}
