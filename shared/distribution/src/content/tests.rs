//! What is asked of S3, and what is not given out.

use std::{collections::HashMap, sync::Mutex};

use aws_sdk_s3::{
    config::{BehaviorVersion, Credentials, Region},
    primitives::SdkBody,
};
use aws_smithy_http_client::test_util::infallible_client_fn;
use http::{Method as HttpMethod, Request, Response};
use moorage_domain::{ExposeSecret as _, Generation};
use moorage_storage::{StorageKey, StorageRoot};

use super::*;

fn owner(repository: &str) -> Arc<Owner> {
    Arc::new(Owner { repository: repository.parse().unwrap(), generation: Generation::default() })
}

const MANIFEST: &[u8] = br#"{"schemaVersion":2,"manifests":[]}"#;

/// As much of S3 as reading needs: it answers with objects, and remembers what it was asked.
#[derive(Clone, Default)]
struct Bucket {
    objects: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    /// Which repository of its name a link says it belongs to.
    generations: Arc<Mutex<HashMap<String, Generation>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Bucket {
    fn content(&self) -> Content {
        let bucket = self.clone();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .force_path_style(true)
            .http_client(infallible_client_fn(move |request| bucket.answer(&request)))
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        Content::new(Storage::new(client, "bucket", StorageRoot::new(""), 0), None)
    }

    fn answer(&self, request: &Request<SdkBody>) -> Response<SdkBody> {
        let key = request.uri().path().strip_prefix("/bucket/").unwrap();
        self.asked.lock().unwrap().push(format!("{} {key}", request.method()));
        let object = self.objects.lock().unwrap().get(key).cloned();
        let (status, body) = match object {
            Some(body) => (200, body),
            None => (404, b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
        };
        let mut response = Response::builder().status(status).header("content-length", body.len());
        if let Some(generation) = self.generations.lock().unwrap().get(key) {
            response = response.header("x-amz-meta-moorage-generation", generation.to_string());
        }
        let body = if request.method() == HttpMethod::HEAD { SdkBody::empty() } else { body.into() };
        response.body(body).unwrap()
    }

    fn put(&self, key: StorageKey<'_>, body: &[u8]) {
        self.objects.lock().unwrap().insert(key.under(&StorageRoot::new("")), body.to_vec());
    }

    fn put_link(&self, key: StorageKey<'_>, digest: &Digest, generation: Generation) {
        self.put(key, digest.to_string().as_bytes());
        self.generations.lock().unwrap().insert(key.under(&StorageRoot::new("")), generation);
    }

    /// How often it was asked since the last time.
    fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().unwrap()).len()
    }
}

#[tokio::test]
async fn a_pull_asks_s3_twice_at_most_and_less_for_what_was_found() {
    let bucket = Bucket::default();
    let content = bucket.content();
    let (owner, other) = (owner("a/b"), owner("a/c"));
    let (tag, digest, now) = ("v1".parse().unwrap(), Digest::sha256(MANIFEST), Timestamp::from_unix(1_000));
    bucket.put(StorageKey::Blob(&digest), MANIFEST);
    bucket.put(StorageKey::RevisionLink(&owner.repository, &digest), digest.to_string().as_bytes());
    bucket.put(StorageKey::TagLink(&owner.repository, &tag), digest.to_string().as_bytes());

    let found = |stored: Option<Found>| stored.map(|it| (it.proven.digest().clone(), it.media_type, it.bytes));
    let expected = Some((digest.clone(), MediaType::OciIndex, Bytes::from_static(MANIFEST)));
    assert_eq!(found(content.tagged(&owner, &tag, now).await.unwrap()), expected);
    assert_eq!(bucket.asked(), 2, "the tag, the manifest");
    assert_eq!(found(content.tagged(&owner, &tag, now).await.unwrap()), expected);
    assert_eq!(bucket.asked(), 1, "a tag may have moved");
    assert_eq!(found(content.revision(&owner, &digest, now).await.unwrap()), expected);
    assert_eq!(bucket.asked(), 1, "whether it belongs to the repository");
    assert_eq!(found(content.revision(&owner, &digest, now).await.unwrap()), expected);
    assert_eq!(bucket.asked(), 0);
    assert_eq!(found(content.revision(&other, &digest, now).await.unwrap()), None, "it belongs to another one");
    let later = Timestamp::from_unix(1_000 + KEPT);
    assert_eq!(found(content.revision(&owner, &digest, later).await.unwrap()), expected);
    assert_eq!(bucket.asked(), 1 + 2);
}

#[tokio::test]
async fn a_blob_that_was_found_costs_nothing() {
    let bucket = Bucket::default();
    let content = bucket.content();
    let (owner, other) = (owner("a/b"), owner("a/c"));
    let (digest, now) = (Digest::sha256(b"layer"), Timestamp::from_unix(1_000));
    bucket.put(StorageKey::LayerLink(&owner.repository, &digest), digest.to_string().as_bytes());
    assert!(content.blob(&owner, &digest, now).await.unwrap().is_none(), "there is only the link");
    bucket.put(StorageKey::Blob(&digest), b"layer");
    bucket.asked();
    assert_eq!(content.blob(&owner, &digest, now).await.unwrap().map(|(_, size)| size), Some(5));
    assert_eq!(bucket.asked(), 2, "whether it belongs to the repository, and is there");
    for _ in 0..100 {
        let (proven, size) = content.blob(&owner, &digest, now).await.unwrap().unwrap();
        assert_eq!(size, 5);
        let url = content.url(&proven, Method::Get, None, "").await.unwrap();
        assert!(url.expose_secret().contains("X-Amz-SignedHeaders=host&"), "clients send no other header");
    }
    assert_eq!(bucket.asked(), 0);
    assert!(content.blob(&other, &digest, now).await.unwrap().is_none(), "it belongs to another one");
}

#[tokio::test]
async fn damaged_content_is_not_served() {
    let bucket = Bucket::default();
    let content = bucket.content();
    let (owner, tag, now) = (owner("a/b"), "v1".parse().unwrap(), Timestamp::from_unix(1_000));
    let digest = Digest::sha256(MANIFEST);
    bucket.put(StorageKey::TagLink(&owner.repository, &tag), format!("{digest}\n").as_bytes());
    assert!(content.tagged(&owner, &tag, now).await.is_err(), "a link is a digest and nothing else");
    bucket.put(StorageKey::TagLink(&owner.repository, &tag), digest.to_string().as_bytes());
    bucket.put(StorageKey::Blob(&digest), b"other bytes");
    let served = content.tagged(&owner, &tag, now).await;
    assert!(matches!(served, Err(PullError::Unservable(_))));
    let unknown = br#"{"schemaVersion":2,"mediaType":"application/json"}"#;
    let digest = Digest::sha256(unknown);
    bucket.put(StorageKey::TagLink(&owner.repository, &tag), digest.to_string().as_bytes());
    bucket.put(StorageKey::Blob(&digest), unknown);
    let served = content.tagged(&owner, &tag, now).await;
    assert!(matches!(served, Err(PullError::Unservable(_))));
    assert!(content.revision(&owner, &digest, now).await.unwrap().is_none(), "not of this repository");
}

#[tokio::test]
async fn what_an_earlier_repository_of_the_name_has_left_is_not_served() {
    let bucket = Bucket::default();
    let content = bucket.content();
    let (old, tag, now) = (owner("a/b"), "v1".parse().unwrap(), Timestamp::from_unix(1_000));
    let new = Arc::new(Owner { generation: Generation::new(uuid::Uuid::from_u128(1)), ..Owner::clone(&old) });
    let digest = Digest::sha256(MANIFEST);
    bucket.put(StorageKey::Blob(&digest), MANIFEST);
    for writer in [&old, &new] {
        bucket.put_link(StorageKey::TagLink(&old.repository, &tag), &digest, writer.generation);
        bucket.put_link(StorageKey::RevisionLink(&old.repository, &digest), &digest, writer.generation);
        bucket.put_link(StorageKey::LayerLink(&old.repository, &digest), &digest, writer.generation);
        // What is remembered of one is not given to the other.
        for reader in [&old, &new] {
            let later = Timestamp::from_unix(now.unix() + if writer == &new { KEPT } else { 0 });
            let expected = writer == reader;
            assert_eq!(content.tagged(reader, &tag, later).await.unwrap().is_some(), expected);
            assert_eq!(content.revision(reader, &digest, later).await.unwrap().is_some(), expected);
            assert_eq!(content.blob(reader, &digest, later).await.unwrap().is_some(), expected);
        }
    }
}
