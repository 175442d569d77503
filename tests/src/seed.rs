//! Content put into the bucket, and mirrors into the table, by hand, where a test needs what no sync and no call would
//! bring.

use std::{collections::HashMap, ops::Range};

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use futures_util::{StreamExt as _, stream};
use moorage_domain::{Digest, RepositoryName};
use reqwest::Method;
use serde_json::json;

use crate::{
    bucket::{ROOT, blob_key},
    image::Image,
    stack::Stack,
    world::World,
};

/// Writes an object.
pub async fn put(stack: &Stack, key: &str, body: Vec<u8>) {
    stack.s3().put_object().bucket(&stack.bucket).key(key).body(body.into()).send().await.unwrap();
}

/// Makes a blob part of a repository.
pub async fn blob(stack: &Stack, repository: &RepositoryName, bytes: Vec<u8>) -> Digest {
    let digest = Digest::sha256(&bytes);
    put(stack, &blob_key(&digest), bytes).await;
    let link = format!("{ROOT}/repositories/{repository}/_layers/sha256/{}/link", digest.hex());
    put(stack, &link, digest.to_string().into_bytes()).await;
    digest
}

/// Makes a manifest part of a repository.
pub async fn manifest(stack: &Stack, repository: &RepositoryName, bytes: Vec<u8>) -> Digest {
    let digest = Digest::sha256(&bytes);
    put(stack, &blob_key(&digest), bytes).await;
    let link = format!("{ROOT}/repositories/{repository}/_manifests/revisions/sha256/{}/link", digest.hex());
    put(stack, &link, digest.to_string().into_bytes()).await;
    digest
}

/// Points a tag to a manifest.
pub async fn tag(stack: &Stack, repository: &RepositoryName, tag: &str, digest: &Digest) {
    let tag = format!("{ROOT}/repositories/{repository}/_manifests/tags/{tag}");
    put(stack, &format!("{tag}/current/link"), digest.to_string().into_bytes()).await;
    put(stack, &format!("{tag}/index/sha256/{}/link", digest.hex()), digest.to_string().into_bytes()).await;
}

/// Puts an image with everything below it under a tag.
pub async fn image(stack: &Stack, repository: &RepositoryName, name: &str, image: &Image) {
    for part in image.all() {
        for bytes in &part.blobs {
            blob(stack, repository, bytes.clone()).await;
        }
        manifest(stack, repository, part.manifest.clone()).await;
    }
    tag(stack, repository, name, &image.digest()).await;
}

/// Another repository of a world.
pub async fn repository(world: &World, name: &str, visibility: &str) -> RepositoryName {
    let repository = RepositoryName::new(&world.namespace, name).unwrap();
    let body = json!({
        "namespace": world.namespace, "repository": name, "visibility": visibility, "description": "", "repo_kind": "image",
    });
    assert_eq!(world.call(Method::POST, "repository", Some(body)).await.0, 201);
    repository
}

/// Writes in one batch: DynamoDB's limit.
const BATCH: usize = 25;
/// Batches that are written at once.
const WRITERS: usize = 8;

/// Objects that are written at once.
const PUTS: usize = 32;

/// A moment that no test sees, in seconds since 1970.
const FOR_EVER: usize = 9_000_000_000;

type Item = HashMap<String, AttributeValue>;

/// Mirrors, straight in the table: copies of the world's own, as the API made it, in everything but their names. They
/// have no schedules. Returns the names, in order.
pub async fn mirrors(world: &World, count: usize) -> Vec<RepositoryName> {
    let [repository, mirror] = [keys(&world.repository)[0].clone(), keys(&world.repository)[1].clone()];
    let (repository, mirror) = (read(&world.stack, repository).await, read(&world.stack, mirror).await);
    let name = |number| RepositoryName::new(&world.namespace, &format!("m{number:05}")).unwrap();
    let names: Vec<_> = (0..count).map(name).collect();
    let copy = |item: &Item, name: &RepositoryName, key: Item| {
        let mut copy = item.clone();
        copy.insert("repository".into(), AttributeValue::S(name.to_string()));
        copy.extend(key);
        put_request(copy)
    };
    let writes = names.iter().flat_map(|name| {
        let [first, second] = keys(name);
        [copy(&repository, name, first), copy(&mirror, name, second)]
    });
    write(&world.stack, writes.collect()).await;
    names
}

/// What an organization's mirror has found, straight in the table: copies of the world's own repository, which it has found
/// too, with their mirrors.
pub async fn discovered(world: &World, count: usize) {
    let names = mirrors(world, count).await;
    let [namespace, model] = [format!("NS#{}", world.namespace), world.repository.name().to_owned()];
    let found = read(&world.stack, key(namespace.clone(), format!("DISCOVERED#{model}"))).await;
    let copy = |name: &RepositoryName| {
        let mut copy = found.clone();
        copy.insert("repository".into(), AttributeValue::S(name.to_string()));
        copy.extend(key(namespace.clone(), format!("DISCOVERED#{}", name.name())));
        put_request(copy)
    };
    write(&world.stack, names.iter().map(copy).collect()).await;
}

/// The links of tags, straight in the bucket: so many, which all point to the same.
pub async fn tag_links(stack: &Stack, repository: &RepositoryName, digest: &Digest, count: usize) {
    let (s3, link) = (stack.s3(), digest.to_string().into_bytes());
    let puts = (0..count).map(|number| {
        let key = format!("{ROOT}/repositories/{repository}/_manifests/tags/n{number:05}/current/link");
        s3.put_object().bucket(&stack.bucket).key(key).body(link.clone().into()).send()
    });
    let mut puts = stream::iter(puts).buffer_unordered(PUTS);
    while let Some(put) = puts.next().await {
        put.unwrap();
    }
}

/// Tags that a repository holds, straight in the table: copies of one that it has, under these numbers.
pub async fn tags(stack: &Stack, repository: &RepositoryName, model: &str, numbers: Range<usize>) {
    let held = read(stack, key(format!("REPO#{repository}"), format!("TAG#{model}"))).await;
    let tag = |number| {
        let mut tag = held.clone();
        let name = format!("n{number:05}");
        tag.extend(key(format!("REPO#{repository}"), format!("TAG#{name}")));
        tag.insert("tag".into(), AttributeValue::S(name));
        put_request(tag)
    };
    write(stack, numbers.map(tag).collect()).await;
}

/// What a tag that a repository holds was before, straight in the table: at each of these moments something, which is
/// kept for ever.
pub async fn past_tags(stack: &Stack, repository: &RepositoryName, tag: &str, starts: Range<usize>) {
    let held = read(stack, key(format!("REPO#{repository}"), format!("TAG#{tag}"))).await;
    let past = |start: usize| {
        let mut past = held.clone();
        past.extend(key(format!("REPO#{repository}"), format!("TAGHISTORY#{start:012}#{tag}")));
        for (name, moment) in [("start", start), ("end", start + 1), ("expires_at", FOR_EVER)] {
            past.insert(name.into(), AttributeValue::N(moment.to_string()));
        }
        put_request(past)
    };
    write(stack, starts.map(past).collect()).await;
}

/// Takes from the table what [`mirrors`] wrote.
pub async fn forget_mirrors(stack: &Stack, names: &[RepositoryName]) {
    let delete = |key: Item| {
        WriteRequest::builder().delete_request(DeleteRequest::builder().set_key(Some(key)).build().unwrap()).build()
    };
    write(stack, names.iter().flat_map(keys).map(delete).collect()).await;
}

/// The keys of a repository's item and of its mirror's.
fn keys(name: &RepositoryName) -> [Item; 2] {
    [
        key(format!("NS#{}", name.namespace()), format!("REPOSITORY#{}", name.name())),
        key(format!("REPO#{name}"), "MIRROR".into()),
    ]
}

fn key(pk: String, sk: String) -> Item {
    [("pk".into(), AttributeValue::S(pk)), ("sk".into(), AttributeValue::S(sk))].into()
}

fn put_request(item: Item) -> WriteRequest {
    WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build().unwrap()).build()
}

async fn read(stack: &Stack, key: Item) -> Item {
    let get = aws_sdk_dynamodb::Client::new(&stack.aws).get_item().table_name(&stack.table).set_key(Some(key));
    get.send().await.unwrap().item.expect("the item is there")
}

/// Writes in batches, some at once.
async fn write(stack: &Stack, writes: Vec<WriteRequest>) {
    let batches: Vec<_> = writes.chunks(BATCH).map(<[_]>::to_vec).collect();
    let shares = batches.chunks(batches.len().div_ceil(WRITERS).max(1)).map(|share| {
        let (dynamodb, table, share) = (aws_sdk_dynamodb::Client::new(&stack.aws), stack.table.clone(), share.to_vec());
        tokio::spawn(async move {
            for batch in share {
                let written = dynamodb.batch_write_item().request_items(&table, batch).send().await.unwrap();
                assert!(written.unprocessed_items.unwrap_or_default().is_empty());
            }
        })
    });
    for share in shares.collect::<Vec<_>>() {
        share.await.unwrap();
    }
}
