//! A stock registry's storage on disk, read only.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use serde_json::Value;

/// Below its root directory.
pub(crate) struct Storage(PathBuf);

impl Storage {
    pub(crate) fn new(root: String) -> Self {
        Self(PathBuf::from(root).join("docker/registry/v2"))
    }

    /// A repository's tags, in order.
    pub(crate) fn tags(&self, name: &str) -> Vec<String> {
        let found = fs::read_dir(self.home(name).join("_manifests/tags")).into_iter().flatten().flatten();
        let mut tags: Vec<_> = found.filter_map(|tag| tag.file_name().into_string().ok()).collect();
        tags.sort_unstable();
        tags
    }

    /// Whether a repository's list of tags is to say what they point to.
    pub(crate) fn tells_digests(&self, name: &str) -> bool {
        self.home(name).join("_digests").exists()
    }

    /// What a tag points to.
    pub(crate) fn digest(&self, name: &str, tag: &str) -> Option<String> {
        fs::read_to_string(self.home(name).join("_manifests/tags").join(tag).join("current/link")).ok()
    }

    /// A manifest by tag or digest: its digest, its media type, and its bytes.
    pub(crate) fn manifest(&self, name: &str, reference: &str) -> Option<(String, String, Vec<u8>)> {
        let digest = match reference.split_once(':') {
            Some((algorithm, hex)) => {
                let revisions = self.home(name).join("_manifests/revisions");
                fs::read_to_string(revisions.join(algorithm).join(hex).join("link")).ok()?
            }
            None => self.digest(name, reference)?,
        };
        let bytes = fs::read(self.data(&digest)?).ok()?;
        let manifest: Value = serde_json::from_slice(&bytes).ok()?;
        Some((digest, manifest["mediaType"].as_str()?.to_owned(), bytes))
    }

    /// A blob of a repository, and its size.
    pub(crate) fn blob(&self, name: &str, digest: &str) -> Option<(File, u64)> {
        let (algorithm, hex) = digest.split_once(':')?;
        self.home(name).join("_layers").join(algorithm).join(hex).join("link").exists().then_some(())?;
        let file = File::open(self.data(digest)?).ok()?;
        let size = file.metadata().ok()?.len();
        Some((file, size))
    }

    fn home(&self, name: &str) -> PathBuf {
        self.0.join("repositories").join(name)
    }

    fn data(&self, digest: &str) -> Option<PathBuf> {
        let (algorithm, hex) = digest.split_once(':')?;
        Some(self.0.join("blobs").join(algorithm).join(hex.get(..2)?).join(hex).join("data"))
    }
}
