//! The tags that a repository holds.

use std::collections::BTreeMap;

use moorage_domain::{RepositoryName, TagName, Timestamp, plan::HeldTag};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, prefix, repository_pk},
    table::conditional,
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

    /// Records when a tag was last seen upstream, or that the last complete sync saw it (`None`). One that is gone stays
    /// gone.
    pub async fn set_tag_seen(
        &self,
        repository: &RepositoryName,
        tag: &TagName,
        last_seen: Option<Timestamp>,
    ) -> Result<(), StateError> {
        let update = self.update(Key::Tag(repository, tag));
        let update = update.update_expression("SET #seen = :seen").condition_expression("attribute_exists(#tag)");
        let update = update.expression_attribute_names("#seen", "last_seen").expression_attribute_names("#tag", "tag");
        let update = update.expression_attribute_values(":seen", serde_dynamo::to_attribute_value(last_seen)?);
        match conditional(update).await {
            Err(StateError::Conflict) => Ok(()),
            result => result,
        }
    }

    /// Forgets a tag, after the bucket has.
    pub async fn delete_tag(&self, repository: &RepositoryName, tag: &TagName) -> Result<(), StateError> {
        match self.delete(Key::Tag(repository, tag)).await {
            Err(StateError::NotFound) => Ok(()),
            result => result,
        }
    }
}
