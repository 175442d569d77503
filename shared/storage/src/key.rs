//! The keys of the bucket: every object's is a variant of one enum.

use moorage_domain::{Digest, RepositoryName, TagName};

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
        };
        format!("{}docker/registry/v2/{path}", root.0)
    }
}

/// What all keys of a tag's history begin with.
pub(crate) fn tag_index_prefix(root: &StorageRoot, repository: &RepositoryName, tag: &TagName) -> String {
    format!("{}docker/registry/v2/repositories/{repository}/_manifests/tags/{tag}/index/", root.0)
}

fn path(digest: &Digest) -> String {
    format!("{}/{}", digest.algorithm().as_str(), digest.hex())
}

#[cfg(test)]
mod tests {
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
}
