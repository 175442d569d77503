//! Tags: the commit point of an image.

use aws_sdk_s3::primitives::ByteStream;
use moorage_domain::{Digest, RepositoryName, TagName};

use crate::{
    Storage, StorageError,
    error::unavailable,
    key::{StorageKey, tag_index_prefix},
};

impl Storage {
    /// Points a tag to a manifest whose whole content is in the repository. One `PutObject` decides; the entry of the
    /// tag's history follows, because a tag that has only a history would be listed without being found.
    pub async fn publish_tag(
        &self,
        repository: &RepositoryName,
        tag: &TagName,
        digest: &Digest,
    ) -> Result<(), StorageError> {
        let body = ByteStream::from(digest.to_string().into_bytes());
        let put = self.client.put_object().bucket(&*self.bucket).key(self.key(StorageKey::TagLink(repository, tag)));
        put.body(body).send().await.map_err(|error| unavailable(&error))?;
        self.link_once(StorageKey::TagIndexLink(repository, tag, digest), digest).await
    }

    /// Points a tag to a manifest as [`Self::publish_tag`] does, looking at what is there; tells whether it did not.
    pub async fn mend_tag(
        &self,
        repository: &RepositoryName,
        tag: &TagName,
        digest: &Digest,
    ) -> Result<bool, StorageError> {
        let current = self.mend_link(StorageKey::TagLink(repository, tag), digest).await?;
        Ok(self.mend_link(StorageKey::TagIndexLink(repository, tag, digest), digest).await? || current)
    }

    /// Deletes a tag: its history first and what it points to last, so that there is no half state. Deleting a tag
    /// that is not there is no error. The bucket's versions keep what was deleted for the retention time.
    pub async fn delete_tag(&self, repository: &RepositoryName, tag: &TagName) -> Result<(), StorageError> {
        let prefix = tag_index_prefix(&self.root, repository, tag);
        self.delete_below(&prefix).await?;
        let key = self.key(StorageKey::TagLink(repository, tag));
        self.client.delete_object().bucket(&*self.bucket).key(key).send().await.map_err(|error| unavailable(&error))?;
        Ok(())
    }
}
