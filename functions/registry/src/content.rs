//! What repositories hold, with as few requests to S3 as can be: tags are always asked for, content that was found stays
//! found for a while.

use bytes::Bytes;
use moorage_domain::{Digest, MediaType, RepositoryName, SecretString, TagName, Timestamp, manifest::announced};
use moorage_storage::{Method, Storage};

use crate::{cache::Cache, error::PullError};

/// How long content stays found, in seconds: how long something deleted may seem to be there.
const KEPT: i64 = 300;
/// How many links are remembered: about 4 MB of names and digests.
const LINKS: usize = 10_000;
/// How many manifests are kept.
const MANIFESTS: usize = 128;
/// The largest manifest that is kept, in bytes: all together at most 8 MiB.
const MAX_KEPT_MANIFEST: usize = 64 * 1024;

/// A manifest.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) digest: Digest,
    pub(crate) media_type: MediaType,
    pub(crate) bytes: Bytes,
}

/// The bucket, and what was found in it.
pub(crate) struct Content {
    storage: Storage,
    manifests: Cache<Digest, Stored>,
    revisions: Cache<(RepositoryName, Digest), ()>,
    /// Their length.
    blobs: Cache<(RepositoryName, Digest), u64>,
}

impl Content {
    pub(crate) fn new(storage: Storage) -> Self {
        let (manifests, revisions) = (Cache::new(MANIFESTS, KEPT), Cache::new(LINKS, KEPT));
        Self { storage, manifests, revisions, blobs: Cache::new(LINKS, KEPT) }
    }

    /// The manifest that a tag points to. The tag is the last that a sync writes and the first that it deletes, so it
    /// alone tells that the manifest belongs to the repository.
    pub(crate) async fn tagged(
        &self,
        repository: &RepositoryName,
        tag: &TagName,
        now: Timestamp,
    ) -> Result<Option<Stored>, PullError> {
        match self.storage.tag(repository, tag).await? {
            Some(digest) => self.manifest(&digest, now).await,
            None => Ok(None),
        }
    }

    /// A manifest of the repository.
    pub(crate) async fn revision(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<Stored>, PullError> {
        let key = (repository.clone(), digest.clone());
        if self.revisions.get(&key, now).is_some() {
            return self.manifest(digest, now).await;
        }
        let belongs = async { self.storage.has_manifest(repository, digest).await.map_err(PullError::from) };
        let (belongs, stored) = tokio::try_join!(belongs, self.manifest(digest, now))?;
        if !belongs {
            return Ok(None);
        }
        self.revisions.insert(key, (), now);
        Ok(stored)
    }

    /// A manifest, whoever it belongs to.
    async fn manifest(&self, digest: &Digest, now: Timestamp) -> Result<Option<Stored>, PullError> {
        if let Some(stored) = self.manifests.get(digest, now) {
            return Ok(Some(stored));
        }
        let Some(bytes) = self.storage.manifest(digest).await? else { return Ok(None) };
        let media_type = announced(&bytes).ok_or_else(|| PullError::Unservable(digest.clone()))?;
        let stored = Stored { digest: digest.clone(), media_type, bytes };
        if stored.bytes.len() <= MAX_KEPT_MANIFEST {
            self.manifests.insert(digest.clone(), stored.clone(), now);
        }
        Ok(Some(stored))
    }

    /// The length of a blob of the repository.
    pub(crate) async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<u64>, PullError> {
        let key = (repository.clone(), digest.clone());
        if let Some(size) = self.blobs.get(&key, now) {
            return Ok(Some(size));
        }
        // A link without data is a blob that a sync is about to bring.
        let (belongs, size) =
            tokio::try_join!(self.storage.has_blob(repository, digest), self.storage.blob_size(digest))?;
        Ok(self.blobs.found(key, size.filter(|_| belongs), now))
    }

    /// A URL of content that was found.
    pub(crate) async fn url(
        &self,
        digest: &Digest,
        method: Method,
        media_type: Option<MediaType>,
    ) -> Result<SecretString, PullError> {
        Ok(self.storage.presign(digest, method, media_type).await?)
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }
}
