//! All repositories of the bucket by their keys, as a collector sees them: which there are, and what they link to. Many
//! lists at once, because there may be many millions of keys.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::FuturesUnordered};
use moorage_domain::{Digest, RepositoryName};

use crate::{
    Storage, StorageError,
    error::failed,
    key::repositories_prefix,
    span::{FEW_FOLDERS, Span, behind_repository, behind_tags},
};

/// Lists that are under way at once.
const LISTS_IN_FLIGHT: usize = 32;
/// Pages of a span that are read before it is parted.
const PAGES: usize = 16;

impl Storage {
    /// The repositories that have anything in the bucket, by name.
    pub async fn all_repositories(&self) -> Result<BTreeSet<RepositoryName>, StorageError> {
        let found = Mutex::new(BTreeSet::new());
        self.survey(behind_repository, |keys| {
            let names: BTreeSet<&str> = keys.iter().filter_map(|key| Some(parse_link(key)?.0)).collect();
            let names = names.into_iter().filter_map(|name| name.parse().ok());
            found.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
        })
        .await?;
        Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every digest that any repository links to, in no order and as often as it is linked, a page of them at a time.
    /// Every list begins after this is called. A link whose key cannot be read belongs to nobody, and none of ours is so.
    pub async fn each_link(&self, visit: impl Fn(Vec<Digest>) + Sync) -> Result<(), StorageError> {
        self.survey(behind_tags, |keys| visit(keys.iter().filter_map(|key| parse_link(key)?.1).collect())).await
    }

    /// Visits the keys of all repositories, a page at a time; `next` says behind which key to go on.
    async fn survey(&self, next: fn(&str) -> String, visit: impl Fn(&[&str]) + Sync) -> Result<(), StorageError> {
        // Where there are few keys, one list after the other are the fewest.
        let left = self.walk(Span { after: String::new(), before: None }, next, &visit).await?;
        let Some(Span { after, .. }) = left.into_iter().next() else { return Ok(()) };
        let mut open = Span::all(self.folders_of_repositories().await?);
        open.retain(|span| !span.is_over(&after));
        for span in &mut open {
            span.after = span.after.clone().max(after.clone());
        }
        let mut lists = FuturesUnordered::new();
        loop {
            while lists.len() < LISTS_IN_FLIGHT
                && let Some(span) = open.pop()
            {
                lists.push(self.walk(span, next, &visit));
            }
            match lists.next().await {
                Some(left) => open.extend(left?),
                None => return Ok(()),
            }
        }
    }

    /// Reads some pages of a span; returns what is left of it.
    async fn walk(
        &self,
        mut span: Span,
        next: fn(&str) -> String,
        visit: &(impl Fn(&[&str]) + Sync),
    ) -> Result<Vec<Span>, StorageError> {
        let root = repositories_prefix(&self.root);
        for _ in 0..PAGES {
            let request = self.client.list_objects_v2().bucket(&*self.bucket).prefix(&root);
            let page = request.start_after(format!("{root}{}", span.after)).send().await.map_err(failed)?;
            let keys = page.contents().iter().filter_map(|object| object.key()?.strip_prefix(&root));
            let keys: Vec<&str> = keys.take_while(|key| !span.is_over(key)).collect();
            visit(&keys);
            let more = page.is_truncated == Some(true) && keys.len() == page.contents().len();
            let Some(last) = keys.last().filter(|_| more) else { return Ok(Vec::new()) };
            let after = next(last);
            if span.is_over(&after) {
                return Ok(Vec::new());
            }
            span.after = after;
        }
        Ok(span.parted())
    }

    /// Folders by which the keys can be parted: namespaces, or what is in them if there are few.
    async fn folders_of_repositories(&self) -> Result<Vec<String>, StorageError> {
        let mut folders = self.folders_in("").await?;
        if folders.len() < FEW_FOLDERS {
            let below = stream::iter(&folders).map(|folder| self.folders_in(folder)).buffer_unordered(LISTS_IN_FLIGHT);
            let below: Vec<Vec<String>> = below.try_collect().await?;
            folders.extend(below.into_iter().flatten());
        }
        Ok(folders)
    }

    /// The folders in a folder of repositories, with the slash at their ends.
    async fn folders_in(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        let root = repositories_prefix(&self.root);
        let list = self.client.list_objects_v2().bucket(&*self.bucket).prefix(format!("{root}{folder}")).delimiter("/");
        let (mut pages, mut names) = (list.into_paginator().send(), Vec::new());
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed)?;
            let prefixes = page.common_prefixes().iter().filter_map(|prefix| prefix.prefix()?.strip_prefix(&root));
            names.extend(prefixes.map(str::to_owned));
        }
        Ok(names)
    }
}

/// The repository of a key below `repositories/`, and the digest if it is a link that keeps a blob.
fn parse_link(key: &str) -> Option<(&str, Option<Digest>)> {
    let (name, rest) = key.split_once("/_layers/").or_else(|| key.split_once("/_manifests/"))?;
    let parts: Vec<&str> = rest.split('/').collect();
    let digest = match parts[..] {
        ["revisions", algorithm, hex, "link"] | [algorithm, hex, "link"] => format!("{algorithm}:{hex}").parse().ok(),
        _ => None,
    };
    Some((name, digest))
}

#[cfg(test)]
mod tests;
