//! The keys of the bucket: every object's is a variant of one enum.

use moorage_domain::{Algorithm, Digest, RepositoryName, TagName};
use uuid::Uuid;

/// The registry's `rootdirectory`, as the start of every key: empty, or ending in a slash, and never beginning with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageRoot(String);

impl StorageRoot {
    /// From a `rootdirectory` as a stock registry's configuration has it: `""`, `"/"`, `"/prefix"` or `"prefix/"`.
    pub fn new(directory: &str) -> Self {
        match directory.trim_matches('/') {
            "" => Self(String::new()),
            directory => Self(format!("{directory}/")),
        }
    }
}

/// One object's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageKey<'a> {
    /// The bytes of a blob or manifest.
    Blob(&'a Digest),
    /// That a blob belongs to a repository.
    LayerLink(&'a RepositoryName, &'a Digest),
    /// That a manifest belongs to a repository.
    RevisionLink(&'a RepositoryName, &'a Digest),
    /// What a tag points to.
    TagLink(&'a RepositoryName, &'a TagName),
    /// That a tag points or pointed to a manifest.
    TagIndexLink(&'a RepositoryName, &'a TagName, &'a Digest),
    /// What a collection keeps from one invocation to the next: no part of the registry's layout.
    Kept(Uuid),
}

impl StorageKey<'_> {
    /// The whole key.
    pub fn under(&self, root: &StorageRoot) -> String {
        let path = match self {
            Self::Blob(digest) => {
                let (algorithm, hex) = (digest.algorithm().as_str(), digest.hex());
                format!("blobs/{algorithm}/{}/{hex}/data", &hex[..2])
            }
            Self::LayerLink(repository, digest) => format!("repositories/{repository}/_layers/{}/link", path(digest)),
            Self::RevisionLink(repository, digest) => {
                format!("repositories/{repository}/_manifests/revisions/{}/link", path(digest))
            }
            Self::TagLink(repository, tag) => format!("repositories/{repository}/_manifests/tags/{tag}/current/link"),
            Self::TagIndexLink(repository, tag, digest) => {
                format!("repositories/{repository}/_manifests/tags/{tag}/index/{}/link", path(digest))
            }
            Self::Kept(collection) => format!("collections/{collection}"),
        };
        format!("{}docker/registry/v2/{path}", root.0)
    }
}

/// What all keys of a repository begin with, but for those of repositories below it.
pub(crate) fn repository_prefixes(root: &StorageRoot, repository: &RepositoryName) -> [String; 3] {
    let parts = ["manifests", "layers", "uploads"];
    parts.map(|part| format!("{}{part}/", repository_prefix(root, repository)))
}

/// What all keys of a repository begin with, and none of those whose names begin with its name.
pub(crate) fn repository_prefix(root: &StorageRoot, repository: &RepositoryName) -> String {
    format!("{}docker/registry/v2/repositories/{repository}/_", root.0)
}

/// What all keys of a tag's history begin with.
pub(crate) fn tag_index_prefix(root: &StorageRoot, repository: &RepositoryName, tag: &TagName) -> String {
    format!("{}docker/registry/v2/repositories/{repository}/_manifests/tags/{tag}/index/", root.0)
}

/// What all keys of a repository's tags begin with.
pub(crate) fn tags_prefix(root: &StorageRoot, repository: &RepositoryName) -> String {
    format!("{}docker/registry/v2/repositories/{repository}/_manifests/tags/", root.0)
}

/// What all keys of repositories begin with.
pub(crate) fn repositories_prefix(root: &StorageRoot) -> String {
    format!("{}docker/registry/v2/repositories/", root.0)
}

/// What the keys of all blobs begin with.
pub(crate) fn blobs_prefix(root: &StorageRoot) -> String {
    format!("{}docker/registry/v2/blobs/", root.0)
}

/// What the keys of the blobs begin with whose hexadecimal value begins with this byte.
pub(crate) fn shard_prefixes(root: &StorageRoot, shard: u8) -> [String; 2] {
    [Algorithm::Sha256, Algorithm::Sha512]
        .map(|algorithm| format!("{}{}/{shard:02x}/", blobs_prefix(root), algorithm.as_str()))
}

fn path(digest: &Digest) -> String {
    format!("{}/{}", digest.algorithm().as_str(), digest.hex())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_the_stock_registrys() {
        let (repository, tag): (RepositoryName, TagName) = ("lib/app/x".parse().unwrap(), "v1".parse().unwrap());
        let digest = Digest::sha256(b"");
        let hex = digest.hex();
        let root = StorageRoot::new("");
        let v2 = "docker/registry/v2";
        for (key, expected) in [
            (StorageKey::Blob(&digest), format!("{v2}/blobs/sha256/e3/{hex}/data")),
            (
                StorageKey::LayerLink(&repository, &digest),
                format!("{v2}/repositories/lib/app/x/_layers/sha256/{hex}/link"),
            ),
            (
                StorageKey::RevisionLink(&repository, &digest),
                format!("{v2}/repositories/lib/app/x/_manifests/revisions/sha256/{hex}/link"),
            ),
            (
                StorageKey::TagLink(&repository, &tag),
                format!("{v2}/repositories/lib/app/x/_manifests/tags/v1/current/link"),
            ),
            (
                StorageKey::TagIndexLink(&repository, &tag, &digest),
                format!("{v2}/repositories/lib/app/x/_manifests/tags/v1/index/sha256/{hex}/link"),
            ),
            (StorageKey::Kept(Uuid::nil()), format!("{v2}/collections/00000000-0000-0000-0000-000000000000")),
        ] {
            assert_eq!(key.under(&root), expected);
        }
    }

    #[test]
    fn roots_have_no_leading_slash() {
        let digest = Digest::sha256(b"");
        for (directory, start) in [("", "docker/"), ("/", "docker/"), ("/pfx", "pfx/docker/"), ("a/b/", "a/b/docker/")]
        {
            assert!(StorageKey::Blob(&digest).under(&StorageRoot::new(directory)).starts_with(start), "{directory}");
        }
    }

    proptest! {
        /// The stock driver takes only such paths; and no key is the folder of another, which it would take for absent.
        #[test]
        fn keys_are_paths_and_none_is_below_another(
            names in proptest::collection::vec("[a-z0-9][a-z0-9._-]{0,9}/[a-z0-9][a-z0-9._-]{0,9}(/[a-z0-9][a-z0-9._-]{0,3})?", 2),
            tags in proptest::collection::vec("[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", 2),
            contents in proptest::collection::vec(any::<u64>(), 2),
            root in "(/?[a-z0-9]{1,5}/?)?",
        ) {
            let root = StorageRoot::new(&root);
            let mut keys = std::collections::BTreeSet::new();
            for (name, (tag, content)) in names.iter().zip(tags.iter().zip(&contents)) {
                let (name, tag) = (name.parse().unwrap(), tag.parse().unwrap());
                let digest = Digest::sha256(&content.to_be_bytes());
                for key in [
                    StorageKey::Blob(&digest),
                    StorageKey::LayerLink(&name, &digest),
                    StorageKey::RevisionLink(&name, &digest),
                    StorageKey::TagLink(&name, &tag),
                    StorageKey::TagIndexLink(&name, &tag, &digest),
                ] {
                    keys.insert(key.under(&root));
                }
            }
            for key in &keys {
                let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
                prop_assert!(key.split('/').all(|part| !part.is_empty() && part.bytes().all(legal)), "{}", key);
                let folder = format!("{key}/");
                prop_assert!(!keys.iter().any(|other| other.starts_with(&folder)), "{}", key);
            }
        }
    }
}
