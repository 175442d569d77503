//! The tags that a repository holds. What changes them is in `tag_writer`.

use std::collections::BTreeMap;

use moorage_domain::{RepositoryName, TagName, plan::HeldTag};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, prefix, repository_pk},
    table::{Item, Query},
};

#[derive(Serialize, Deserialize)]
pub(crate) struct TagItem {
    pub(crate) tag: TagName,
    #[serde(flatten)]
    pub(crate) held: HeldTag,
}

impl Table {
    /// All tags that the repository holds.
    pub async fn tags(&self, repository: &RepositoryName) -> Result<BTreeMap<TagName, HeldTag>, StateError> {
        let (mut tags, mut after) = (BTreeMap::new(), None);
        loop {
            let pk = repository_pk(repository);
            let query = Query { pk, prefix: prefix::TAG, newest_first: false, limit: None, after };
            let page = self.page::<TagItem>(query).await?;
            // They are many, and in memory once only.
            tags.extend(page.items.into_iter().map(|item| (item.tag, item.held)));
            after = page.next;
            if after.is_none() {
                return Ok(tags);
            }
        }
    }

    /// The first tags of the repository, by name: at most `most`, and fewer where they are long.
    pub async fn first_tags(
        &self,
        repository: &RepositoryName,
        most: i32,
    ) -> Result<BTreeMap<TagName, HeldTag>, StateError> {
        let pk = repository_pk(repository);
        let query = Query { pk, prefix: prefix::TAG, newest_first: false, limit: Some(most), after: None };
        let page = self.page::<TagItem>(query).await?;
        Ok(page.items.into_iter().map(|item| (item.tag, item.held)).collect())
    }

    /// All tags of the repository, if there are at most `most` of them.
    pub async fn few_tags(
        &self,
        repository: &RepositoryName,
        most: i32,
    ) -> Result<Option<BTreeMap<TagName, HeldTag>>, StateError> {
        let pk = repository_pk(repository);
        let query = Query { pk, prefix: prefix::TAG, newest_first: false, limit: Some(most + 1), after: None };
        let page = self.page::<TagItem>(query).await?;
        let is_all = page.next.is_none() && i32::try_from(page.items.len()).is_ok_and(|count| count <= most);
        Ok(is_all.then(|| page.items.into_iter().map(|item| (item.tag, item.held)).collect()))
    }

    /// What a tag of the repository points to.
    pub async fn tag(&self, repository: &RepositoryName, tag: &TagName) -> Result<Option<HeldTag>, StateError> {
        let item: Option<TagItem> = self.get(Key::Tag(repository, tag)).await?;
        Ok(item.map(|item| item.held))
    }

    /// What tags point to, in no order; those that are not there are left out.
    pub(crate) async fn tag_items(&self, keys: Vec<Item>) -> Result<Vec<TagItem>, StateError> {
        if keys.is_empty() { Ok(Vec::new()) } else { self.get_all(keys).await }
    }
}
