//! Links: what makes content part of a repository.

use aws_sdk_s3::primitives::ByteStream;
use moorage_domain::{Digest, RepositoryName};

use crate::{Storage, StorageError, key::StorageKey};

impl Storage {
    /// Makes a blob part of a repository.
    pub async fn link_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<(), StorageError> {
        self.link_once(StorageKey::LayerLink(repository, digest), digest).await
    }

    /// Makes a manifest part of a repository.
    pub async fn link_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<(), StorageError> {
        self.link_once(StorageKey::RevisionLink(repository, digest), digest).await
    }

    /// Writes a link whose content never changes, unless it is there: a bucket with versions would keep each copy.
    pub(crate) async fn link_once(&self, key: StorageKey<'_>, digest: &Digest) -> Result<(), StorageError> {
        let body = ByteStream::from(digest.to_string().into_bytes());
        let key = self.key(key);
        let put = self.client.put_object().bucket(&*self.bucket).key(&key).if_none_match("*").body(body);
        self.settle(&key, put.send().await).await.map(|_| ())
    }
}
