//! Links: what makes content part of a repository.

use aws_sdk_s3::{operation::get_object::GetObjectError, primitives::ByteStream};
use moorage_domain::{Digest, RepositoryName};

use crate::{Storage, StorageError, error::unavailable, key::StorageKey};

impl Storage {
    /// Makes a blob part of a repository.
    pub async fn link_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<(), StorageError> {
        self.link_once(StorageKey::LayerLink(repository, digest), digest).await
    }

    /// Makes a manifest part of a repository.
    pub async fn link_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<(), StorageError> {
        self.link_once(StorageKey::RevisionLink(repository, digest), digest).await
    }

    /// Makes a blob part of a repository, looking at what is there; tells whether it was not.
    pub async fn mend_blob_link(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StorageError> {
        self.mend_link(StorageKey::LayerLink(repository, digest), digest).await
    }

    /// Makes a manifest part of a repository, looking at what is there; tells whether it was not.
    pub async fn mend_manifest_link(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StorageError> {
        self.mend_link(StorageKey::RevisionLink(repository, digest), digest).await
    }

    /// Makes a link hold what it should hold; tells whether it did not.
    pub(crate) async fn mend_link(&self, key: StorageKey<'_>, digest: &Digest) -> Result<bool, StorageError> {
        let (key, expected) = (self.key(key), digest.to_string().into_bytes());
        match self.client.get_object().bucket(&*self.bucket).key(&key).send().await {
            Ok(object)
                if object.content_length().and_then(|length| usize::try_from(length).ok()) == Some(expected.len()) =>
            {
                let body = object.body.collect().await;
                let body = body.map_err(|error| StorageError::Unavailable(error.to_string()))?;
                if body.into_bytes() == expected {
                    return Ok(false);
                }
            }
            Ok(_) => {}
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => {}
            Err(error) => return Err(unavailable(&error)),
        }
        let put = self.client.put_object().bucket(&*self.bucket).key(&key).body(ByteStream::from(expected));
        put.send().await.map_err(|error| unavailable(&error))?;
        Ok(true)
    }

    /// Writes a link whose content never changes, unless it is there: a bucket with versions would keep each copy.
    pub(crate) async fn link_once(&self, key: StorageKey<'_>, digest: &Digest) -> Result<(), StorageError> {
        let body = ByteStream::from(digest.to_string().into_bytes());
        let key = self.key(key);
        let put = self.client.put_object().bucket(&*self.bucket).key(&key).if_none_match("*").body(body);
        self.settle(&key, put.send().await).await.map(|_| ())
    }
}
