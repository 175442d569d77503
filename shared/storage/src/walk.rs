//! What a collector does with links and blobs: lists them by their keys, and takes them away.

use std::time::Instant;

use aws_sdk_s3::types::{MultipartUpload, Object};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Digest, RepositoryName, Timestamp};

use crate::{
    Storage, StorageError,
    error::failed,
    key::{StorageKey, shard_prefixes},
};

/// Objects in one `DeleteObjects`: S3's limit.
const DELETE_BATCH: usize = 1_000;
/// Uploads that are given up at once.
const ABORTS_IN_FLIGHT: usize = 16;

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

impl Storage {
    /// All blobs, if they are so few that one request lists them.
    pub async fn few_blobs(&self) -> Result<Option<Vec<StoredBlob>>, StorageError> {
        let prefix = crate::key::blobs_prefix(&self.root);
        let listed =
            self.client.list_objects_v2().bucket(&*self.bucket).prefix(&prefix).send().await.map_err(failed)?;
        let is_all = listed.is_truncated != Some(true);
        Ok(is_all.then(|| listed.contents().iter().filter_map(|object| stored_blob(&prefix, object)).collect()))
    }

    /// Visits all blobs whose hexadecimal value begins with this byte.
    pub async fn each_blob_of(&self, shard: u8, mut visit: impl FnMut(StoredBlob)) -> Result<(), StorageError> {
        let root = crate::key::blobs_prefix(&self.root);
        for prefix in shard_prefixes(&self.root, shard) {
            self.each(&prefix, |object| stored_blob(&root, object).into_iter().for_each(&mut visit)).await?;
        }
        Ok(())
    }

    /// Deletes a blob. The bucket's versions keep it for the retention time.
    pub async fn delete_blob(&self, digest: &Digest) -> Result<(), StorageError> {
        let key = self.key(StorageKey::Blob(digest));
        let delete = self.client.delete_object().bucket(&*self.bucket).key(key);
        let deleted = self.guarded(delete.customize()).send().await;
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

    /// Gives up all uploads that began before a moment, some at a time, a page after the other until it is `end`; tells how
    /// many, and whether these were all.
    pub async fn abort_uploads_before(&self, moment: Timestamp, end: Instant) -> Result<(u64, bool), StorageError> {
        let prefix = crate::key::blobs_prefix(&self.root);
        let (mut aborted, mut markers) = (0, (None, None));
        loop {
            let list = self.client.list_multipart_uploads().bucket(&*self.bucket).prefix(&prefix);
            let list = list.set_key_marker(markers.0).set_upload_id_marker(markers.1);
            let page = list.send().await.map_err(failed)?;
            let old = |upload: &&MultipartUpload| upload.initiated().is_some_and(|began| began.secs() < moment.unix());
            let old = page.uploads().iter().filter(old).filter_map(|upload| Some((upload.key()?, upload.upload_id()?)));
            let aborts = stream::iter(old).map(|(key, id)| self.abort_key(key, id)).buffer_unordered(ABORTS_IN_FLIGHT);
            aborted += aborts.try_fold(0, async |count, ()| Ok(count + 1)).await?;
            let more = page.is_truncated == Some(true);
            markers = (page.next_key_marker, page.next_upload_id_marker);
            let all = !more || markers.0.is_none();
            if all || Instant::now() >= end {
                return Ok((aborted, all));
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

/// A blob by its object below `root`; what is no blob's is none.
fn stored_blob(root: &str, object: &Object) -> Option<StoredBlob> {
    let parts: Vec<&str> = object.key()?.strip_prefix(root)?.split('/').collect();
    let [algorithm, shard, hex, "data"] = parts[..] else { return None };
    let digest = digest(algorithm, hex).filter(|_| hex.starts_with(shard))?;
    let modified = Timestamp::from_unix(object.last_modified()?.secs());
    let size = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    Some(StoredBlob { digest, size, modified })
}

fn digest(algorithm: &str, hex: &str) -> Option<Digest> {
    format!("{algorithm}:{hex}").parse().ok()
}
