//! What repositories hold, with as few requests to S3 as can be: tags are always asked for, content that was found stays
//! found for a while.

pub(crate) mod alias;

use std::sync::Arc;

use bytes::Bytes;
use moorage_domain::{Digest, MediaType, Owner, Proven, SecretString, TagName, Timestamp, manifest::announced};
use moorage_storage::{Method, Storage, Stored};

use self::alias::Alias;
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
pub(crate) struct Found {
    /// That the repository has it.
    pub(crate) proven: Proven,
    pub(crate) media_type: MediaType,
    pub(crate) bytes: Bytes,
}

/// A manifest's bytes, whoever they belong to.
#[derive(Debug, Clone)]
struct Kept {
    media_type: MediaType,
    bytes: Bytes,
}

/// The bucket, and what was found in it. Only what a repository links is looked for.
pub struct Content {
    storage: Storage,
    /// The same by the other name of this machine, where it is on it.
    alias: Option<Alias>,
    manifests: Cache<Digest, Kept>,
    revisions: Cache<(Arc<Owner>, Digest), Proven>,
    /// With their length.
    blobs: Cache<(Arc<Owner>, Digest), (Proven, u64)>,
}

impl Content {
    /// What a bucket holds; `alias` is the same by the other name of this machine, where it is on it.
    pub fn new(storage: Storage, alias: Option<Alias>) -> Self {
        let (manifests, revisions) = (Cache::new(MANIFESTS, KEPT), Cache::new(LINKS, KEPT));
        Self { storage, alias, manifests, revisions, blobs: Cache::new(LINKS, KEPT) }
    }

    /// The manifest that a tag points to. The tag is the last that a sync writes and the first that it deletes, so it
    /// alone tells that the manifest belongs to the repository.
    pub(crate) async fn tagged(
        &self,
        owner: &Arc<Owner>,
        tag: &TagName,
        now: Timestamp,
    ) -> Result<Option<Found>, PullError> {
        match self.storage.tag(owner, tag).await? {
            Some(proven) => self.manifest(proven, now).await,
            None => Ok(None),
        }
    }

    /// A manifest of the repository.
    pub(crate) async fn revision(
        &self,
        owner: &Arc<Owner>,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<Found>, PullError> {
        let key = (Arc::clone(owner), digest.clone());
        let proven = match self.revisions.get(&key, now) {
            Some(proven) => Some(proven),
            None => self.revisions.found(key, self.storage.links_manifest(owner, digest).await?, now),
        };
        match proven {
            Some(proven) => self.manifest(proven, now).await,
            None => Ok(None),
        }
    }

    /// A manifest that a repository has.
    async fn manifest(&self, proven: Proven, now: Timestamp) -> Result<Option<Found>, PullError> {
        let digest = proven.digest();
        if let Some(Kept { media_type, bytes }) = self.manifests.get(digest, now) {
            return Ok(Some(Found { proven, media_type, bytes }));
        }
        let unservable = || PullError::Unservable(digest.clone());
        let bytes = match self.storage.manifest(&proven).await? {
            Stored::Sound(bytes) => bytes,
            Stored::Damaged => return Err(unservable()),
            Stored::Missing => return Ok(None),
        };
        let media_type = announced(&bytes).ok_or_else(unservable)?;
        if bytes.len() <= MAX_KEPT_MANIFEST {
            self.manifests.insert(digest.clone(), Kept { media_type, bytes: bytes.clone() }, now);
        }
        Ok(Some(Found { proven, media_type, bytes }))
    }

    /// A blob of the repository, and its length.
    pub(crate) async fn blob(
        &self,
        owner: &Arc<Owner>,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<(Proven, u64)>, PullError> {
        let key = (Arc::clone(owner), digest.clone());
        if let Some(found) = self.blobs.get(&key, now) {
            return Ok(Some(found));
        }
        let Some(proven) = self.storage.links_blob(owner, digest).await? else { return Ok(None) };
        // A link without data is a blob that a sync is about to bring.
        let size = self.storage.blob_size(&proven).await?;
        Ok(self.blobs.found(key, size.map(|size| (proven, size)), now))
    }

    /// A URL of content that was found, for a client that called us as `host`.
    pub(crate) async fn url(
        &self,
        content: &Proven,
        method: Method,
        media_type: Option<MediaType>,
        host: &str,
    ) -> Result<SecretString, PullError> {
        let alias = self.alias.as_ref().filter(|alias| alias.is_called(host));
        let storage = alias.map_or(&self.storage, |alias| &alias.storage);
        Ok(storage.presign(content, method, media_type).await?)
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }
}

#[cfg(test)]
mod tests;
