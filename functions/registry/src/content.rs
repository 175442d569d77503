//! What repositories hold, with as few requests to S3 as can be: tags are always asked for, content that was found stays
//! found for a while.

use bytes::Bytes;
use moorage_domain::{Digest, MediaType, RepositoryName, SecretString, TagName, Timestamp, manifest::announced};
use moorage_storage::{Method, Storage, Stored};

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
    pub(crate) digest: Digest,
    pub(crate) media_type: MediaType,
    pub(crate) bytes: Bytes,
}

/// The bucket, and what was found in it.
pub(crate) struct Content {
    storage: Storage,
    manifests: Cache<Digest, Found>,
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
    ) -> Result<Option<Found>, PullError> {
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
    ) -> Result<Option<Found>, PullError> {
        let key = (repository.clone(), digest.clone());
        if self.revisions.get(&key, now).is_some() {
            return self.manifest(digest, now).await;
        }
        let (belongs, stored) =
            tokio::join!(self.storage.links_manifest(repository, digest), self.manifest(digest, now));
        // First: that another repository's content is no manifest is nobody's business.
        if !belongs? {
            return Ok(None);
        }
        let stored = stored?;
        self.revisions.insert(key, (), now);
        Ok(stored)
    }

    /// A manifest, whoever it belongs to.
    async fn manifest(&self, digest: &Digest, now: Timestamp) -> Result<Option<Found>, PullError> {
        if let Some(stored) = self.manifests.get(digest, now) {
            return Ok(Some(stored));
        }
        let unservable = || PullError::Unservable(digest.clone());
        let bytes = match self.storage.manifest(digest).await? {
            Stored::Sound(bytes) => bytes,
            Stored::Damaged => return Err(unservable()),
            Stored::Missing => return Ok(None),
        };
        let media_type = announced(&bytes).ok_or_else(unservable)?;
        let stored = Found { digest: digest.clone(), media_type, bytes };
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
            tokio::try_join!(self.storage.links_blob(repository, digest), self.storage.blob_size(digest))?;
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

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::{Arc, Mutex},
    };

    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use moorage_domain::ExposeSecret as _;
    use moorage_storage::{StorageKey, StorageRoot};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    const MANIFEST: &[u8] = br#"{"schemaVersion":2,"manifests":[]}"#;

    /// As much of S3 as reading needs: it answers with objects, and remembers what it was asked.
    #[derive(Clone, Default)]
    struct Bucket {
        objects: Arc<Mutex<HashMap<String, Vec<u8>>>>,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Bucket {
        async fn serve(&self) -> Content {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            let bucket = self.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(bucket.clone().converse(stream));
                }
            });
            let config = aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("us-east-1"))
                .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
                .endpoint_url(endpoint)
                .force_path_style(true)
                .build();
            let client = aws_sdk_s3::Client::from_conf(config);
            Content::new(Storage::new(client, "bucket", StorageRoot::new(""), 0))
        }

        async fn converse(self, mut stream: TcpStream) {
            let mut request = Vec::new();
            while let Ok(byte) = stream.read_u8().await {
                request.push(byte);
                if !request.ends_with(b"\r\n\r\n") {
                    continue;
                }
                let line = String::from_utf8(std::mem::take(&mut request)).unwrap();
                let (method, rest) = line.split_once(" /bucket/").unwrap();
                let key = rest.split(['?', ' ']).next().unwrap();
                self.asked.lock().unwrap().push(format!("{method} {key}"));
                let object = self.objects.lock().unwrap().get(key).cloned();
                let (status, body) = match object {
                    Some(body) => ("200 OK", body),
                    None => ("404 Not Found", b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
                };
                let mut answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
                if method != "HEAD" {
                    answer.extend(body);
                }
                stream.write_all(&answer).await.unwrap();
            }
        }

        fn put(&self, key: StorageKey<'_>, body: &[u8]) {
            self.objects.lock().unwrap().insert(key.under(&StorageRoot::new("")), body.to_vec());
        }

        /// How often it was asked since the last time.
        fn asked(&self) -> usize {
            std::mem::take(&mut *self.asked.lock().unwrap()).len()
        }
    }

    #[tokio::test]
    async fn a_pull_asks_s3_twice_at_most_and_less_for_what_was_found() {
        let bucket = Bucket::default();
        let content = bucket.serve().await;
        let (repository, other) = ("a/b".parse().unwrap(), "a/c".parse().unwrap());
        let (tag, digest, now) = ("v1".parse().unwrap(), Digest::sha256(MANIFEST), Timestamp::from_unix(1_000));
        bucket.put(StorageKey::Blob(&digest), MANIFEST);
        bucket.put(StorageKey::RevisionLink(&repository, &digest), digest.to_string().as_bytes());
        bucket.put(StorageKey::TagLink(&repository, &tag), digest.to_string().as_bytes());

        let found = |stored: Option<Found>| stored.map(|stored| (stored.digest, stored.media_type, stored.bytes));
        let expected = Some((digest.clone(), MediaType::OciIndex, Bytes::from_static(MANIFEST)));
        assert_eq!(found(content.tagged(&repository, &tag, now).await.unwrap()), expected);
        assert_eq!(bucket.asked(), 2, "the tag, the manifest");
        assert_eq!(found(content.tagged(&repository, &tag, now).await.unwrap()), expected);
        assert_eq!(bucket.asked(), 1, "a tag may have moved");
        assert_eq!(found(content.revision(&repository, &digest, now).await.unwrap()), expected);
        assert_eq!(bucket.asked(), 1, "whether it belongs to the repository");
        assert_eq!(found(content.revision(&repository, &digest, now).await.unwrap()), expected);
        assert_eq!(bucket.asked(), 0);
        assert_eq!(found(content.revision(&other, &digest, now).await.unwrap()), None, "it belongs to another one");
        let later = Timestamp::from_unix(1_000 + KEPT);
        assert_eq!(found(content.revision(&repository, &digest, later).await.unwrap()), expected);
        assert_eq!(bucket.asked(), 1 + 2);
    }

    #[tokio::test]
    async fn a_blob_that_was_found_costs_nothing() {
        let bucket = Bucket::default();
        let content = bucket.serve().await;
        let (repository, other) = ("a/b".parse().unwrap(), "a/c".parse().unwrap());
        let (digest, now) = (Digest::sha256(b"layer"), Timestamp::from_unix(1_000));
        bucket.put(StorageKey::LayerLink(&repository, &digest), digest.to_string().as_bytes());
        assert_eq!(content.blob(&repository, &digest, now).await.unwrap(), None, "there is only the link");
        bucket.put(StorageKey::Blob(&digest), b"layer");
        bucket.asked();
        assert_eq!(content.blob(&repository, &digest, now).await.unwrap(), Some(5));
        assert_eq!(bucket.asked(), 2, "whether it belongs to the repository, and is there");
        for _ in 0..100 {
            assert_eq!(content.blob(&repository, &digest, now).await.unwrap(), Some(5));
            let url = content.url(&digest, Method::Get, None).await.unwrap();
            assert!(url.expose_secret().contains("X-Amz-SignedHeaders=host&"), "clients send no other header");
        }
        assert_eq!(bucket.asked(), 0);
        assert_eq!(content.blob(&other, &digest, now).await.unwrap(), None, "it belongs to another one");
    }

    #[tokio::test]
    async fn damaged_content_is_not_served() {
        let bucket = Bucket::default();
        let content = bucket.serve().await;
        let (repository, tag, now) = ("a/b".parse().unwrap(), "v1".parse().unwrap(), Timestamp::from_unix(1_000));
        let digest = Digest::sha256(MANIFEST);
        bucket.put(StorageKey::TagLink(&repository, &tag), format!("{digest}\n").as_bytes());
        assert!(content.tagged(&repository, &tag, now).await.is_err(), "a link is a digest and nothing else");
        bucket.put(StorageKey::TagLink(&repository, &tag), digest.to_string().as_bytes());
        bucket.put(StorageKey::Blob(&digest), b"other bytes");
        let served = content.tagged(&repository, &tag, now).await;
        assert!(matches!(served, Err(PullError::Unservable(_))));
        let unknown = br#"{"schemaVersion":2,"mediaType":"application/json"}"#;
        let digest = Digest::sha256(unknown);
        bucket.put(StorageKey::TagLink(&repository, &tag), digest.to_string().as_bytes());
        bucket.put(StorageKey::Blob(&digest), unknown);
        let served = content.tagged(&repository, &tag, now).await;
        assert!(matches!(served, Err(PullError::Unservable(_))));
        assert!(content.revision(&repository, &digest, now).await.unwrap().is_none(), "not of this repository");
    }
}
