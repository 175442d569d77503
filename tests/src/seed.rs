//! Content put into the bucket by hand, where a test needs what no sync would bring.

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
