//! Lists of tags and namespaces, page by page.
//!
//! S3 lists folders by their names with the slash at the end, so `1-alpine/` and `1.2/` come before `1/`, and `1/`
//! before `10/`. Clients page by the names themselves, where `1` is first. Only a tag that another one continues with
//! `-` or `.` is listed too late, so a page is what S3 lists up to some tag and the few beginnings of that tag.

use moorage_domain::{Namespace, RepositoryName, TagName};

use crate::{
    Storage, StorageError,
    error::failed,
    key::{StorageKey, repositories_prefix, tags_prefix},
};

/// How much one request lists: S3's limit.
const LIST_SIZE: usize = 1_000;

/// Some tags, in the order of their bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct TagPage {
    /// The tags.
    pub tags: Vec<TagName>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// Some folders in S3's order.
struct Folders {
    names: Vec<String>,
    /// Whether these are all.
    complete: bool,
}

impl Storage {
    /// The first `limit` tags of a repository behind `after`.
    pub async fn tags(
        &self,
        repository: &RepositoryName,
        after: Option<&TagName>,
        limit: usize,
    ) -> Result<TagPage, StorageError> {
        let prefix = tags_prefix(&self.root, repository);
        let folders = self.folders(&prefix, after.map(TagName::as_str), wanted(after, limit)).await?;
        let mut late = Vec::new();
        if let (false, Some(last)) = (folders.complete, folders.names.last()) {
            for tag in beginnings(last) {
                if self.length(&self.key(StorageKey::TagLink(repository, &tag))).await?.is_some() {
                    late.push(tag);
                }
            }
        }
        Ok(page(&folders, late, after, limit))
    }

    /// The first `limit` namespaces that have content, in the order of their repositories' names, behind `after`.
    pub async fn namespaces(&self, after: Option<&Namespace>, limit: usize) -> Result<Vec<Namespace>, StorageError> {
        // `0` follows `/`: this is behind everything in the namespace.
        let after = after.map(|after| format!("{after}0"));
        let folders = self.folders(&repositories_prefix(&self.root), after.as_deref(), limit).await?;
        Ok(folders.names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// At least `limit` folders, if there are so many, from behind `after`.
    async fn folders(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Folders, StorageError> {
        let start = after.map(|after| format!("{prefix}{after}"));
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let list = self.client.list_objects_v2().bucket(&*self.bucket).prefix(prefix).delimiter("/");
            let size = i32::try_from(limit.saturating_sub(names.len()).clamp(1, LIST_SIZE)).unwrap_or(i32::MAX);
            let list = list.max_keys(size).set_start_after(start.clone()).set_continuation_token(token);
            let listed = list.send().await.map_err(failed)?;
            let folders = listed.common_prefixes().iter().filter_map(|folder| folder.prefix());
            names.extend(folders.filter_map(|folder| {
                Some(folder.strip_prefix(prefix)?.strip_suffix('/')?.to_owned()).filter(|name| !name.is_empty())
            }));
            token = listed.next_continuation_token;
            if token.is_none() || names.len() >= limit {
                return Ok(Folders { names, complete: token.is_none() });
            }
        }
    }
}

/// How many folders a page needs: one more tells whether there are more, and `after` itself and its beginnings, which
/// are not part of it, may be listed behind `after`.
fn wanted(after: Option<&TagName>, limit: usize) -> usize {
    limit.saturating_add(1 + after.map_or(0, |after| 1 + beginnings(after.as_str()).count()))
}

/// The tags that S3 lists behind `last`, but that come before it: what `last` continues with `-` or `.`.
fn beginnings(last: &str) -> impl Iterator<Item = TagName> {
    let ends = last.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'-' | b'.')).map(|(index, _)| index);
    ends.filter_map(|end| last.get(..end)?.parse().ok())
}

/// Puts a page together.
fn page(folders: &Folders, late: Vec<TagName>, after: Option<&TagName>, limit: usize) -> TagPage {
    let mut tags: Vec<TagName> = folders.names.iter().filter_map(|name| name.parse().ok()).chain(late).collect();
    tags.retain(|tag| after.is_none_or(|after| tag > after));
    tags.sort_unstable();
    let more = tags.len() > limit || !folders.complete;
    tags.truncate(limit);
    TagPage { tags, more }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the bucket would answer.
    fn pages(tags: &[TagName], limit: usize) -> Vec<TagName> {
        let mut folders: Vec<String> = tags.iter().map(|tag| format!("{tag}/")).collect();
        folders.sort_unstable();
        let (mut all, mut after) = (Vec::new(), None::<TagName>);
        loop {
            let start = after.as_ref().map_or("", |after| after.as_str());
            let behind: Vec<_> = folders.iter().filter(|folder| folder.as_str() > start).collect();
            let names = behind.iter().take(wanted(after.as_ref(), limit)).map(|it| it.trim_end_matches('/').to_owned());
            let names: Vec<_> = names.collect();
            let folders = Folders { complete: names.len() == behind.len(), names };
            let late = folders.names.last().filter(|_| !folders.complete).into_iter().flat_map(|last| beginnings(last));
            let page = page(&folders, late.filter(|tag| tags.contains(tag)).collect(), after.as_ref(), limit);
            assert!(page.tags.len() <= limit && (!page.more || page.tags.len() == limit), "{page:?}");
            all.extend(page.tags);
            if !page.more {
                return all;
            }
            after = all.last().cloned();
        }
    }

    fn tags(names: &[&str]) -> Vec<TagName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn beginnings_that_s3_lists_late_are_in_their_place() {
        let sorted = tags(&["1", "1-alpine", "1-alpine-x", "1.2", "1.2.3", "10", "1_x", "latest", "v1", "v1-a"]);
        for limit in 1..12 {
            assert_eq!(pages(&sorted, limit), sorted, "{limit}");
        }
        assert_eq!(beginnings("1.2-a").collect::<Vec<_>>(), tags(&["1", "1.2"]));
        assert_eq!(pages(&[], 3), []);
    }

    proptest! {
        #[test]
        fn pages_together_are_all_tags_in_order(
            names in proptest::collection::btree_set("[1_a][-._1a]{0,4}", 0..60), limit in 1usize..20,
        ) {
            let sorted: Vec<TagName> = names.iter().map(|name| name.parse().unwrap()).collect();
            prop_assert_eq!(pages(&sorted, limit), sorted);
        }
    }
}
