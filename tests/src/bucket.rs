//! The bucket, looked at with nobody's help: every key and link of a repository against the registry's layout.

use std::collections::{BTreeMap, BTreeSet};

use moorage_domain::{
    Digest, RepositoryName,
    manifest::{Content, Descriptor, Manifest},
};

use crate::stack::Stack;

/// Where the layout begins.
pub const ROOT: &str = "docker/registry/v2";

/// What a repository holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Tags and what they point to.
    pub tags: BTreeMap<String, Digest>,
    /// Manifests that belong to it.
    pub revisions: BTreeSet<Digest>,
    /// Blobs that belong to it.
    pub layers: BTreeSet<Digest>,
}

/// Walks a repository and checks that every key is one of the layout's, that every link holds exactly its digest, that
/// what is linked is there and has its digest, that no tag has only a history (a stock registry would list it without
/// finding it), and that everything below every tag is part of the repository.
pub async fn check(stack: &Stack, repository: &RepositoryName) -> Held {
    check_sparse(stack, repository, &[]).await
}

/// As [`check`], where these manifests were left out of their indexes: neither they nor what is below them is there.
pub async fn check_sparse(stack: &Stack, repository: &RepositoryName, left_out: &[Digest]) -> Held {
    let prefix = format!("{ROOT}/repositories/{repository}/");
    let (mut held, mut histories) = (Held::default(), BTreeSet::new());
    for key in keys(stack, &prefix).await {
        let parts: Vec<&str> = key[prefix.len()..].split('/').collect();
        // A collector may have taken it meanwhile.
        let Some(link) = get(stack, &key).await else { continue };
        let link = String::from_utf8(link).unwrap();
        let digest: Digest = link.parse().unwrap_or_else(|error| panic!("{key} holds {link:?}: {error}"));
        match parts[..] {
            ["_layers", algorithm, hex, "link"] => {
                assert_eq!((digest.algorithm().as_str(), &*digest.hex()), (algorithm, hex), "{key}");
                held.layers.insert(digest);
            }
            ["_manifests", "revisions", "sha256", hex, "link"] => {
                assert_eq!(&*digest.hex(), hex, "{key}");
                held.revisions.insert(digest);
            }
            ["_manifests", "tags", tag, "current", "link"] => drop(held.tags.insert(tag.to_owned(), digest)),
            ["_manifests", "tags", tag, "index", "sha256", hex, "link"] => {
                assert_eq!(&*digest.hex(), hex, "{key}");
                histories.insert(tag.to_owned());
            }
            _ => panic!("{key} is no key of the layout"),
        }
    }
    // A blob's link comes before the blob; a manifest's after everything.
    for linked in &held.revisions {
        blob(stack, linked).await.unwrap_or_else(|| panic!("{linked} is linked, but has no data"));
    }
    for tag in histories {
        assert!(held.tags.contains_key(&tag), "{tag} has a history, but points to nothing");
    }
    let mut seen = BTreeSet::new();
    for tag in held.tags.values() {
        check_closure(stack, &held, tag, left_out, &mut seen).await;
    }
    held
}

async fn check_closure(
    stack: &Stack,
    held: &Held,
    manifest: &Digest,
    left_out: &[Digest],
    seen: &mut BTreeSet<Digest>,
) {
    if !seen.insert(manifest.clone()) {
        return;
    }
    if left_out.contains(manifest) {
        assert!(!held.revisions.contains(manifest), "{manifest} was not left out");
        return;
    }
    if held.layers.contains(manifest) && !held.revisions.contains(manifest) {
        blob(stack, manifest).await.unwrap_or_else(|| panic!("{manifest} has no data"));
        return;
    }
    assert!(held.revisions.contains(manifest), "{manifest} is not part of the repository");
    let bytes = blob(stack, manifest).await.unwrap_or_else(|| panic!("{manifest} has no data"));
    match Manifest::parse(&bytes).unwrap().content {
        Content::Image(blobs) => {
            for Descriptor { digest, .. } in blobs {
                assert!(held.layers.contains(&digest), "{digest} is not part of the repository");
                if seen.insert(digest.clone()) {
                    blob(stack, &digest).await.unwrap_or_else(|| panic!("{digest} has no data"));
                }
            }
        }
        Content::Index(children) => {
            for child in children {
                Box::pin(check_closure(stack, held, &child.digest, left_out, seen)).await;
            }
        }
    }
}

/// The key of a blob or manifest.
pub fn blob_key(digest: &Digest) -> String {
    format!("{ROOT}/blobs/{}/{}/{}/data", digest.algorithm().as_str(), &digest.hex()[..2], digest.hex())
}

/// A blob's bytes, if it is there; they have its digest.
pub async fn blob(stack: &Stack, digest: &Digest) -> Option<Vec<u8>> {
    let bytes = get(stack, &blob_key(digest)).await?;
    assert_eq!(Digest::of(digest.algorithm(), &bytes), *digest, "the bytes of {digest} are others");
    Some(bytes)
}

/// Every version of every object below a prefix: what changes when anything is written or deleted.
pub async fn versions(stack: &Stack, repository: &RepositoryName) -> BTreeSet<String> {
    let prefix = format!("{ROOT}/repositories/{repository}/");
    let listed = stack.s3().list_object_versions().bucket(&stack.bucket).prefix(prefix).send().await.unwrap();
    let name = |key: Option<&str>, version: Option<&str>| format!("{} {}", key.unwrap(), version.unwrap());
    let versions = listed.versions().iter().map(|version| name(version.key(), version.version_id()));
    versions.chain(listed.delete_markers().iter().map(|marker| name(marker.key(), marker.version_id()))).collect()
}

/// The keys of content that was stored again while it was there, which nobody needs.
pub async fn stored_twice(stack: &Stack) -> Vec<String> {
    let list = stack.s3().list_object_versions().bucket(&stack.bucket).prefix(format!("{ROOT}/blobs/"));
    let listed = list.send().await.unwrap();
    assert_ne!(listed.is_truncated, Some(true));
    let deleted: BTreeSet<_> = listed.delete_markers.unwrap_or_default().into_iter().map(|marker| marker.key).collect();
    let (mut seen, mut twice) = (BTreeSet::new(), Vec::new());
    let versions = listed.versions.unwrap_or_default().into_iter();
    for key in versions.filter(|version| !deleted.contains(&version.key)).filter_map(|version| version.key) {
        if !seen.insert(key.clone()) {
            twice.push(key);
        }
    }
    twice
}

/// All keys below a prefix.
pub async fn keys(stack: &Stack, prefix: &str) -> Vec<String> {
    let mut pages = stack.s3().list_objects_v2().bucket(&stack.bucket).prefix(prefix).into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        keys.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    keys
}

/// An object's bytes, if it is there.
pub async fn get(stack: &Stack, key: &str) -> Option<Vec<u8>> {
    let object = stack.s3().get_object().bucket(&stack.bucket).key(key).send().await.ok()?;
    Some(object.body.collect().await.unwrap().to_vec())
}

/// How many uploads of a blob are unfinished.
pub async fn uploads(stack: &Stack, digest: &Digest) -> usize {
    upload_ids(stack, digest).await.len()
}

/// How many parts the unfinished uploads of a blob have.
pub async fn uploaded_parts(stack: &Stack, digest: &Digest) -> usize {
    let mut parts = 0;
    for (key, id) in upload_ids(stack, digest).await {
        let list = stack.s3().list_parts().bucket(&stack.bucket).key(key).upload_id(id);
        // It may have been finished meanwhile.
        parts += list.send().await.map_or(0, |list| list.parts().len());
    }
    parts
}

async fn upload_ids(stack: &Stack, digest: &Digest) -> Vec<(String, String)> {
    let list = stack.s3().list_multipart_uploads().bucket(&stack.bucket).send().await.unwrap();
    assert_ne!(list.is_truncated, Some(true));
    let uploads = list.uploads.unwrap_or_default().into_iter();
    let named = uploads.filter_map(|upload| Some((upload.key?, upload.upload_id?)));
    named.filter(|(key, _)| key.contains(&*digest.hex())).collect()
}
