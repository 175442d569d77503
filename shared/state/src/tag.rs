//! The tags that a repository holds.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use moorage_domain::{RepositoryName, TagName, Timestamp, plan::HeldTag};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    error::or_gone,
    key::{Key, prefix, repository_pk},
    table::{Query, conditional},
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

    /// What a tag of the repository points to.
    pub async fn tag(&self, repository: &RepositoryName, tag: &TagName) -> Result<Option<HeldTag>, StateError> {
        let item: Option<TagItem> = self.get(Key::Tag(repository, tag)).await?;
        Ok(item.map(|item| item.held))
    }

    /// Records what a tag points to, after the bucket says so, and what it pointed to before.
    pub async fn put_tag(&self, repository: &RepositoryName, tag: &TagName, held: HeldTag) -> Result<(), StateError> {
        if let Some(before) = self.tag(repository, tag).await?.filter(|before| before.digest != held.digest) {
            self.end_tag(repository, tag, &before, held.first_seen).await?;
        }
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

    /// Forgets a tag, after the bucket has, but for its past.
    pub async fn delete_tag(&self, repository: &RepositoryName, tag: &TagName) -> Result<(), StateError> {
        if let Some(before) = self.tag(repository, tag).await? {
            self.end_tag(repository, tag, &before, now()).await?;
        }
        or_gone(self.delete(Key::Tag(repository, tag)).await)
    }
}

/// Now, in whole seconds: deletions come without a time.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
