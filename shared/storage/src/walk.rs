//! The bucket from end to end, as a collector sees it: links by their keys, blobs by the start of their digest.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::types::Object;
use moorage_domain::{Digest, Owner, RepositoryName, TagName, Timestamp};

use crate::{
    Storage, StorageError,
    error::failed,
    key::{StorageKey, repositories_prefix, repository_prefixes, shard_prefixes},
};

/// Objects in one `DeleteObjects`: S3's limit.
const DELETE_BATCH: usize = 1_000;

/// A blob or manifest in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its digest, by its key.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written; of an upload in parts, when that began.
    pub modified: Timestamp,
}

/// Everything that a repository links to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Its tags and what they point to.
    pub tags: BTreeMap<TagName, Digest>,
    /// Its manifests.
    pub manifests: BTreeSet<Digest>,
    /// Its blobs.
    pub blobs: BTreeSet<Digest>,
    /// Tags that a run of an earlier repository of the name has left: nobody can pull them.
    pub strays: Vec<TagName>,
    /// When the newest of these links was written.
    pub newest: Option<Timestamp>,
}

impl Storage {
    /// The namespaces that have anything in the bucket.
    pub async fn all_namespaces(&self) -> Result<Vec<String>, StorageError> {
        let root = repositories_prefix(&self.root);
        let list = self.client.list_objects_v2().bucket(&*self.bucket).prefix(&root).delimiter("/");
        let (mut pages, mut names) = (list.into_paginator().send(), Vec::new());
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed)?;
            let prefixes = page.common_prefixes().iter().filter_map(|prefix| prefix.prefix());
            names.extend(prefixes.filter_map(|prefix| Some(prefix.strip_prefix(&root)?.strip_suffix('/')?.to_owned())));
        }
        Ok(names)
    }

    /// The repositories of a namespace that have anything in the bucket, and every digest that any of them links to, in no
    /// order and as often as it is linked. A link whose key cannot be read belongs to nobody, and none of ours is so.
    pub async fn linked(
        &self,
        namespace: &str,
        mut visit: impl FnMut(Digest),
    ) -> Result<BTreeSet<RepositoryName>, StorageError> {
        let root = repositories_prefix(&self.root);
        let mut repositories = BTreeSet::new();
        self.each(&format!("{root}{namespace}/"), |object| {
            let Some((repository, digest)) = object.key().and_then(|key| parse_link(key.strip_prefix(&root)?)) else {
                return;
            };
            // Keys come sorted: most of them are of the repository before.
            if let Some(repository) = repository
                && repositories.last() != Some(&repository)
            {
                repositories.insert(repository);
            }
            digest.into_iter().for_each(&mut visit);
        })
        .await?;
        Ok(repositories)
    }

    /// Everything that one repository links to; of whichever that bore the name, if `owner` is none.
    pub async fn links(&self, repository: &RepositoryName, owner: Option<&Owner>) -> Result<Links, StorageError> {
        let [manifests, layers, _] = repository_prefixes(&self.root, repository);
        let (mut links, mut tags) = (Links::default(), BTreeSet::new());
        let seen = |newest: &mut Option<Timestamp>, object: &Object| {
            *newest = (*newest).max(object.last_modified().map(|moment| Timestamp::from_unix(moment.secs())));
        };
        self.each(&manifests, |object| {
            seen(&mut links.newest, object);
            let parts: Vec<&str> = object.key().unwrap_or_default()[manifests.len()..].split('/').collect();
            match parts[..] {
                ["revisions", algorithm, hex, "link"] => links.manifests.extend(digest(algorithm, hex)),
                ["tags", tag, ..] => tags.extend(tag.parse::<TagName>()),
                _ => {}
            }
        })
        .await?;
        self.each(&layers, |object| {
            seen(&mut links.newest, object);
            let parts: Vec<&str> = object.key().unwrap_or_default()[layers.len()..].split('/').collect();
            if let [algorithm, hex, "link"] = parts[..] {
                links.blobs.extend(digest(algorithm, hex));
            }
        })
        .await?;
        for tag in tags {
            match self.digest_of_tag(repository, &tag, owner).await? {
                Some((digest, false)) => drop(links.tags.insert(tag, digest)),
                Some((_, true)) => links.strays.push(tag),
                None => {}
            }
        }
        Ok(links)
    }

    /// All blobs whose hexadecimal value begins with this byte.
    pub async fn blobs_of(&self, shard: u8) -> Result<Vec<StoredBlob>, StorageError> {
        let mut blobs = Vec::new();
        for (algorithm, prefix) in shard_prefixes(&self.root, shard) {
            self.each(&prefix, |object| {
                let rest = object.key().and_then(|key| key.strip_prefix(&prefix)?.strip_suffix("/data"));
                let digest = rest.and_then(|hex| digest(algorithm.as_str(), hex));
                let modified = object.last_modified().map(|moment| Timestamp::from_unix(moment.secs()));
                if let (Some(digest), Some(modified)) = (digest, modified) {
                    let size = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                    blobs.push(StoredBlob { digest, size, modified });
                }
            })
            .await?;
        }
        Ok(blobs)
    }

    /// Deletes a blob. The bucket's versions keep it for the retention time.
    pub async fn delete_blob(&self, digest: &Digest) -> Result<(), StorageError> {
        let key = self.key(StorageKey::Blob(digest));
        let deleted = self.client.delete_object().bucket(&*self.bucket).key(key).send().await;
        deleted.map(|_| ()).map_err(failed)
    }

    /// Takes manifests out of a repository, in this order.
    pub async fn unlink_manifests(&self, repository: &RepositoryName, digests: &[Digest]) -> Result<(), StorageError> {
        self.unlink(digests.iter().map(|digest| StorageKey::RevisionLink(repository, digest))).await
    }

    /// Takes blobs out of a repository.
    pub async fn unlink_blobs(&self, repository: &RepositoryName, digests: &[Digest]) -> Result<(), StorageError> {
        self.unlink(digests.iter().map(|digest| StorageKey::LayerLink(repository, digest))).await
    }

    /// Gives up all uploads that began before a moment; tells how many.
    pub async fn abort_uploads_before(&self, moment: Timestamp) -> Result<u64, StorageError> {
        let prefix = crate::key::blobs_prefix(&self.root);
        let (mut aborted, mut markers) = (0, (None, None));
        loop {
            let list = self.client.list_multipart_uploads().bucket(&*self.bucket).prefix(&prefix);
            let list = list.set_key_marker(markers.0).set_upload_id_marker(markers.1);
            let page = list.send().await.map_err(failed)?;
            for upload in page.uploads() {
                let old = upload.initiated().is_some_and(|began| began.secs() < moment.unix());
                let (Some(key), Some(id), true) = (upload.key(), upload.upload_id(), old) else { continue };
                self.abort_key(key, id).await?;
                aborted += 1;
            }
            markers = (page.next_key_marker, page.next_upload_id_marker);
            if page.is_truncated != Some(true) || markers.0.is_none() {
                return Ok(aborted);
            }
        }
    }

    async fn each(&self, prefix: &str, mut visit: impl FnMut(&Object)) -> Result<(), StorageError> {
        let list = self.client.list_objects_v2().bucket(&*self.bucket).prefix(prefix);
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            page.map_err(failed)?.contents().iter().for_each(&mut visit);
        }
        Ok(())
    }

    async fn unlink<'k>(&self, keys: impl Iterator<Item = StorageKey<'k>>) -> Result<(), StorageError> {
        let keys: Vec<String> = keys.map(|key| self.key(key)).collect();
        for batch in keys.chunks(DELETE_BATCH) {
            self.delete_keys(batch).await?;
        }
        Ok(())
    }
}

fn digest(algorithm: &str, hex: &str) -> Option<Digest> {
    format!("{algorithm}:{hex}").parse().ok()
}

/// The repository of a key below `repositories/`, and the digest if it is a link that keeps a blob.
fn parse_link(key: &str) -> Option<(Option<RepositoryName>, Option<Digest>)> {
    let (name, rest) = key.split_once("/_layers/").or_else(|| key.split_once("/_manifests/"))?;
    let parts: Vec<&str> = rest.split('/').collect();
    let digest = match parts[..] {
        ["revisions", algorithm, hex, "link"] | [algorithm, hex, "link"] => digest(algorithm, hex),
        _ => None,
    };
    Some((name.parse().ok(), digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_from_their_keys() {
        let digest = Digest::sha256(b"");
        let hex = digest.hex();
        let repository = |name: &str| Some(name.parse::<RepositoryName>().unwrap());
        for (key, expected) in [
            (format!("a/b/_layers/sha256/{hex}/link"), Some((repository("a/b"), Some(digest.clone())))),
            (
                format!("a/b/c/_manifests/revisions/sha256/{hex}/link"),
                Some((repository("a/b/c"), Some(digest.clone()))),
            ),
            ("a/b/_manifests/tags/v1/current/link".to_owned(), Some((repository("a/b"), None))),
            (format!("a/b/_manifests/tags/v1/index/sha256/{hex}/link"), Some((repository("a/b"), None))),
            (format!("lonely/_layers/sha256/{hex}/link"), Some((None, Some(digest.clone())))),
            ("a/b/_uploads/x/data".to_owned(), None),
            ("a/b".to_owned(), None),
        ] {
            assert_eq!(parse_link(&key), expected, "{key}");
        }
    }
}
