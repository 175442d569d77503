//! What one repository has in the bucket, as a collector sees it: however much it is, nothing of it is held here.

use std::ops::ControlFlow;

use aws_sdk_s3::types::Object;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Digest, Owner, RepositoryName, TagName, Timestamp};

use crate::{
    Storage, StorageError, TagTarget,
    error::failed,
    key::{repository_prefixes, tags_prefix},
};

/// Links of tags that are read at once.
const LINKS_IN_FLIGHT: usize = 32;
/// The characters that a digest's value may begin with.
const HEX: &str = "0123456789abcdef";

/// One thing that a repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldLink {
    /// A tag, and the entity tag of its link: where that is the same, so is what the tag points to.
    Tag(TagName, String),
    /// A manifest.
    Manifest(Digest),
    /// A blob.
    Blob(Digest),
}

impl Storage {
    /// Visits everything that a repository links to, with the moment when it was written, until `visit` breaks it off.
    pub async fn each_held(
        &self,
        repository: &RepositoryName,
        mut visit: impl FnMut(HeldLink, Timestamp) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StorageError> {
        let [manifests, layers, _] = repository_prefixes(&self.root, repository);
        // One page of each at first: few repositories have more.
        let (first, second) = tokio::join!(self.page_of(&manifests, None), self.page_of(&layers, None));
        let (first, second) = (first?, second?);
        for page in [&first, &second] {
            if take(&page.objects, &manifests, &mut visit).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let (revisions, tags) = (format!("{manifests}revisions/"), format!("{manifests}tags/"));
        let mut open = match first.next() {
            Some(last) if last.starts_with(&tags) => vec![(tags, Some(last))],
            Some(last) => parts(&revisions, &last).into_iter().chain([(tags, None)]).collect(),
            None => Vec::new(),
        };
        open.extend(second.next().into_iter().flat_map(|last| parts(&layers, &last)));
        // Then all parts of it at once, a page of each.
        while !open.is_empty() {
            let pages = open.iter().map(|(prefix, after)| self.page_of(prefix, after.as_deref()));
            let pages: Vec<Page> = stream::iter(pages).buffered(LINKS_IN_FLIGHT).try_collect().await?;
            let mut next = Vec::new();
            for ((prefix, _), page) in open.into_iter().zip(pages) {
                if take(&page.objects, &manifests, &mut visit).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                next.extend(page.next().map(|last| (prefix, Some(last))));
            }
            open = next;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Visits the tags of a repository with the entity tags of their links, a page of keys after the other.
    pub async fn each_tag(
        &self,
        repository: &RepositoryName,
        mut visit: impl FnMut(TagName, String),
    ) -> Result<(), StorageError> {
        let ([manifests, _, _], tags) =
            (repository_prefixes(&self.root, repository), tags_prefix(&self.root, repository));
        let mut after = None;
        loop {
            let page = self.page_of(&tags, after.as_deref()).await?;
            for link in page.objects.iter().filter_map(|object| link_of(object, &manifests)) {
                if let HeldLink::Tag(tag, etag) = link {
                    visit(tag, etag);
                }
            }
            after = page.next();
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Reads what tags point to, some at a time, in no order: of whichever repository that bore the name, if `owner` is
    /// none. Nothing for tags that are gone.
    pub async fn each_target(
        &self,
        repository: &RepositoryName,
        owner: Option<&Owner>,
        tags: Vec<TagName>,
        mut visit: impl FnMut(TagName, TagTarget),
    ) -> Result<(), StorageError> {
        let read = tags.into_iter().map(async |tag| {
            let target = self.tag_link(repository, &tag, owner).await?;
            Ok::<_, StorageError>(target.map(|target| (tag, target)))
        });
        let mut read = stream::iter(read).buffer_unordered(LINKS_IN_FLIGHT);
        while let Some(target) = read.try_next().await? {
            if let Some((tag, target)) = target {
                visit(tag, target);
            }
        }
        Ok(())
    }

    async fn page_of(&self, prefix: &str, after: Option<&str>) -> Result<Page, StorageError> {
        let list = self.client.list_objects_v2().bucket(&*self.bucket).prefix(prefix);
        let page = list.set_start_after(after.map(str::to_owned)).send().await.map_err(failed)?;
        Ok(Page { more: page.is_truncated == Some(true), objects: page.contents.unwrap_or_default() })
    }
}

/// Some objects, and whether there are more.
struct Page {
    objects: Vec<Object>,
    more: bool,
}

impl Page {
    /// The last key, if there is something behind it.
    fn next(&self) -> Option<String> {
        self.objects.last().filter(|_| self.more)?.key().map(str::to_owned)
    }
}

/// What is left of a folder of digests behind a key, in parts.
fn parts(prefix: &str, last: &str) -> Vec<(String, Option<String>)> {
    let folders = ["sha256/", "sha512/"].into_iter();
    let parts = folders.flat_map(|folder| HEX.chars().map(move |hex| format!("{prefix}{folder}{hex}")));
    let open = parts.filter(|part| last < part.as_str() || last.starts_with(part.as_str()));
    open.map(|part| (part.clone(), last.starts_with(&part).then(|| last.to_owned()))).collect()
}

/// Visits what objects are; others than ours are passed over.
fn take(
    objects: &[Object],
    manifests: &str,
    visit: &mut impl FnMut(HeldLink, Timestamp) -> ControlFlow<()>,
) -> ControlFlow<()> {
    for object in objects {
        let Some(link) = link_of(object, manifests) else { continue };
        let modified =
            object.last_modified().map_or(Timestamp::from_unix(i64::MAX), |it| Timestamp::from_unix(it.secs()));
        visit(link, modified)?;
    }
    ControlFlow::Continue(())
}

fn link_of(object: &Object, manifests: &str) -> Option<HeldLink> {
    let key = object.key()?;
    let digest = |algorithm: &str, hex: &str| format!("{algorithm}:{hex}").parse::<Digest>().ok();
    let Some(rest) = key.strip_prefix(manifests) else {
        let (_, rest) = key.split_once("/_layers/")?;
        let [algorithm, hex, "link"] = rest.split('/').collect::<Vec<_>>()[..] else { return None };
        return digest(algorithm, hex).map(HeldLink::Blob);
    };
    match rest.split('/').collect::<Vec<_>>()[..] {
        ["revisions", algorithm, hex, "link"] => digest(algorithm, hex).map(HeldLink::Manifest),
        ["tags", tag, "current", "link"] => {
            Some(HeldLink::Tag(tag.parse().ok()?, object.e_tag().unwrap_or_default().to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_are_read_from_their_keys() {
        let digest = Digest::sha256(b"");
        let hex = digest.hex();
        let manifests = "docker/registry/v2/repositories/a/b/_manifests/";
        let layers = "docker/registry/v2/repositories/a/b/_layers/";
        for (key, expected) in [
            (format!("{layers}sha256/{hex}/link"), Some(HeldLink::Blob(digest.clone()))),
            (format!("{manifests}revisions/sha256/{hex}/link"), Some(HeldLink::Manifest(digest.clone()))),
            (format!("{manifests}tags/v1/current/link"), Some(HeldLink::Tag("v1".parse().unwrap(), "e".to_owned()))),
            (format!("{manifests}tags/v1/index/sha256/{hex}/link"), None),
            (format!("{manifests}tags/-/current/link"), None),
            (format!("{layers}sha256/{hex}/data"), None),
        ] {
            let object = Object::builder().key(&key).e_tag("e").build();
            assert_eq!(link_of(&object, manifests), expected, "{key}");
        }
    }

    proptest! {
        /// Behind a page, each digest is listed once.
        #[test]
        fn what_is_left_is_in_one_part(last in "sha(256|512)/[0-9a-f]{2}", keys in proptest::collection::vec("sha(256|512)/[0-9a-f]{2}", 1..60)) {
            let parts = parts("x/", &format!("x/{last}/link"));
            for key in keys.iter().map(|key| format!("x/{key}/link")) {
                let in_part = |(prefix, after): &&(String, Option<String>)| {
                    key.starts_with(prefix.as_str()) && after.as_ref().is_none_or(|after| key > *after)
                };
                prop_assert_eq!(parts.iter().filter(in_part).count(), usize::from(key > format!("x/{last}/link")), "{}", key);
            }
        }
    }
}
