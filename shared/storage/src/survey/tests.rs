use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use aws_sdk_s3::{
    Client,
    operation::list_objects_v2::{ListObjectsV2Input, ListObjectsV2Output},
    types::{CommonPrefix, Object},
};
use aws_smithy_mocks::{RuleMode, mock, mock_client};

use moorage_domain::{Digest, RepositoryName};

use super::parse_link;
use crate::{Storage, StorageRoot};

const ROOT: &str = "docker/registry/v2/repositories/";

/// What S3 answers, with so many keys on a page.
fn list(keys: &BTreeSet<String>, request: &ListObjectsV2Input, page: usize) -> ListObjectsV2Output {
    let prefix = request.prefix().unwrap();
    let start = request.continuation_token().or(request.start_after()).unwrap_or_default();
    let (mut objects, mut folders, mut last, mut more) = (Vec::new(), BTreeSet::new(), String::new(), false);
    for key in keys.iter().filter(|key| key.starts_with(prefix) && key.as_str() > start) {
        let folder = request.delimiter().and_then(|it| Some(&key[..=prefix.len() + key[prefix.len()..].find(it)?]));
        if folder.is_some_and(|folder| folders.contains(folder) || start.starts_with(folder)) {
            continue;
        }
        if objects.len() + folders.len() == page {
            more = true;
            break;
        }
        last = folder.unwrap_or(key).to_owned();
        match folder {
            Some(folder) => drop(folders.insert(folder.to_owned())),
            None => objects.push(Object::builder().key(key).build()),
        }
    }
    let folders = folders.into_iter().map(|folder| CommonPrefix::builder().prefix(folder).build()).collect();
    let output = ListObjectsV2Output::builder().set_contents(Some(objects)).set_common_prefixes(Some(folders));
    output.is_truncated(more).set_next_continuation_token(more.then_some(last)).build()
}

fn storage(keys: Vec<String>, page: usize) -> Storage {
    let keys: Arc<BTreeSet<String>> = Arc::new(keys.into_iter().collect());
    let rule = mock!(Client::list_objects_v2).then_compute_output(move |request| list(&keys, request, page));
    Storage::new(mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]), "bucket", StorageRoot::new(""), 0)
}

/// Keys of repositories with so many tags, each with an image of two blobs.
fn repository(name: &str, tags: usize, digests: &mut BTreeMap<Digest, u64>) -> Vec<String> {
    let home = format!("{ROOT}{name}");
    let mut keys = vec![format!("{home}/_uploads/x/data")];
    for tag in 0..tags {
        let digest = |part: &str| Digest::sha256(format!("{part}{tag}").as_bytes());
        let manifest = digest("manifest");
        keys.push(format!("{home}/_manifests/revisions/sha256/{}/link", manifest.hex()));
        keys.push(format!("{home}/_manifests/tags/v{tag}/current/link"));
        keys.push(format!("{home}/_manifests/tags/v{tag}/index/sha256/{}/link", manifest.hex()));
        let layers = [digest("layer"), digest("config")];
        keys.extend(layers.iter().map(|layer| format!("{home}/_layers/sha256/{}/link", layer.hex())));
        for digest in [manifest].into_iter().chain(layers) {
            *digests.entry(digest).or_default() += 1;
        }
    }
    keys
}

#[tokio::test]
async fn all_repositories_and_all_their_links_are_found_however_they_are_named() {
    for page in [3, 7, 1_000] {
        let (mut keys, mut names, mut digests) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
        for name in ["acme/a", "acme/a/b", "acme/a-b", "acme/a0", "acme-x/a", "acme/big", "zz/1/2/3", "b/a"] {
            names.insert(name.parse::<RepositoryName>().unwrap());
            keys.extend(repository(name, if name == "acme/big" { 80 } else { 4 }, &mut digests));
        }
        let storage = storage(keys, page);
        assert_eq!(storage.all_repositories().await.unwrap(), names, "{page}");
        let found = Mutex::new(BTreeMap::new());
        let visit = |some: Vec<Digest>| {
            let mut found = found.lock().unwrap();
            for digest in some {
                *found.entry(digest).or_insert(0) += 1;
            }
        };
        storage.each_link(visit).await.unwrap();
        assert_eq!(*found.lock().unwrap(), digests, "each as often as it is linked, {page}");
    }
}

#[test]
fn links_are_read_from_their_keys() {
    let digest = Digest::sha256(b"");
    let hex = digest.hex();
    for (key, expected) in [
        (format!("a/b/_layers/sha256/{hex}/link"), Some(("a/b", Some(digest.clone())))),
        (format!("a/b/c/_manifests/revisions/sha256/{hex}/link"), Some(("a/b/c", Some(digest.clone())))),
        ("a/b/_manifests/tags/v1/current/link".to_owned(), Some(("a/b", None))),
        (format!("a/b/_manifests/tags/v1/index/sha256/{hex}/link"), Some(("a/b", None))),
        (format!("lonely/_layers/sha256/{hex}/link"), Some(("lonely", Some(digest.clone())))),
        ("a/b/_uploads/x/data".to_owned(), None),
        ("a/b".to_owned(), None),
    ] {
        assert_eq!(parse_link(&key), expected, "{key}");
    }
}
