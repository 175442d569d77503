//! Tags: the commit point of an image.

use std::sync::Arc;

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    operation::{get_object::GetObjectError, head_object::HeadObjectError},
};
use moorage_domain::{Digest, Owner, Proven, RepositoryName, TagName};

use crate::{
    Storage, StorageError,
    error::{Refused, broken_off, failed, refused},
    key::{StorageKey, tag_index_prefix},
    link::is_of,
};

/// The longest link, in bytes: a SHA-512 digest.
const LINK_LENGTH: i64 = 135;

/// What a writer of a tag believes to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected<'a> {
    /// No such tag.
    Nothing,
    /// A link with this entity tag.
    Link(&'a str),
}

/// What became of a tag that was to be pointed to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// It points to it; the entity tag of its link.
    Done(String),
    /// Nothing was changed: there is something else than was believed.
    Moved,
}

/// What a tag's link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagTarget {
    /// What the tag points to.
    pub digest: Digest,
    /// The link's entity tag: where that is the same, so is what the tag points to.
    pub etag: String,
    /// Whether a run of an earlier repository of the name has left it: nobody can pull it.
    pub is_stray: bool,
}

impl Storage {
    /// What a tag of a repository points to. A tag is the last that is written of an image, so it alone proves that its
    /// manifest is the repository's.
    pub async fn tag(&self, owner: &Arc<Owner>, tag: &TagName) -> Result<Option<Proven>, StorageError> {
        let link = self.tag_link(&owner.repository, tag, Some(owner)).await?;
        Ok(link.filter(|link| !link.is_stray).map(|link| Proven::attested(owner, &link.digest)))
    }

    /// What a tag's link says, and whether it is of another repository than `owner`, if that is to be told. Nothing if there
    /// is none; [`StorageError::NoLink`] if there is something else in its place.
    pub async fn tag_link(
        &self,
        repository: &RepositoryName,
        tag: &TagName,
        owner: Option<&Owner>,
    ) -> Result<Option<TagTarget>, StorageError> {
        let key = self.key(StorageKey::TagLink(repository, tag));
        let object = match self.client.get_object().bucket(&*self.bucket).key(&key).send().await {
            Ok(object) => object,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let malformed = || StorageError::NoLink(key.clone());
        if object.content_length().is_none_or(|length| length > LINK_LENGTH) {
            return Err(malformed());
        }
        let is_stray = owner.is_some_and(|owner| !is_of(owner, object.metadata()));
        let etag = object.e_tag().unwrap_or_default().to_owned();
        let body = object.body.collect().await.map_err(|error| broken_off(&error))?;
        let bytes = body.into_bytes();
        let digest = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok()).ok_or_else(malformed)?;
        Ok(Some(TagTarget { digest, etag, is_stray }))
    }

    /// The entity tag of a tag's link, whoever has written it; nothing if there is none.
    pub async fn tag_etag(&self, repository: &RepositoryName, tag: &TagName) -> Result<Option<String>, StorageError> {
        let key = self.key(StorageKey::TagLink(repository, tag));
        match self.client.head_object().bucket(&*self.bucket).key(key).send().await {
            Ok(link) => Ok(link.e_tag),
            Err(error) if matches!(error.as_service_error(), Some(HeadObjectError::NotFound(_))) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Points a tag to a manifest whose whole content is in the repository, if there is what its writer believes. One
    /// `PutObject` decides; the entry of the tag's history follows, because a tag that has only a history would be listed
    /// without being found.
    pub async fn publish_tag(
        &self,
        manifest: &Proven,
        tag: &TagName,
        expected: Expected<'_>,
    ) -> Result<Published, StorageError> {
        let repository = &manifest.owner().repository;
        let put = self.put_link(StorageKey::TagLink(repository, tag), manifest);
        let put = match expected {
            Expected::Nothing => put.if_none_match("*"),
            Expected::Link(etag) => put.if_match(etag),
        };
        let written = match self.guarded(put.customize()).send().await {
            Ok(written) => written,
            // The link to be replaced is gone: S3 answers 404 to that.
            Err(error) if matches!(refused(&error), Refused::Exists | Refused::Conflict) || is_gone(&error) => {
                return Ok(Published::Moved);
            }
            Err(error) => return Err(failed(error)),
        };
        self.link_once(StorageKey::TagIndexLink(repository, tag, manifest.digest()), manifest).await?;
        Ok(Published::Done(written.e_tag.unwrap_or_default()))
    }

    /// Points a tag to a manifest as [`Self::publish_tag`] does, looking at what is there; tells whether it did not.
    pub async fn mend_tag(&self, manifest: &Proven, tag: &TagName) -> Result<bool, StorageError> {
        let repository = &manifest.owner().repository;
        let current = self.mend_link(StorageKey::TagLink(repository, tag), manifest).await?;
        let index = StorageKey::TagIndexLink(repository, tag, manifest.digest());
        Ok(self.mend_link(index, manifest).await? || current)
    }

    /// Deletes a tag: its history first and what it points to last, so that there is no half state. Deleting a tag
    /// that is not there is no error. The bucket's versions keep what was deleted for the retention time.
    pub async fn delete_tag(&self, repository: &RepositoryName, tag: &TagName) -> Result<(), StorageError> {
        let prefix = tag_index_prefix(&self.root, repository, tag);
        self.delete_below(&prefix).await?;
        let key = self.key(StorageKey::TagLink(repository, tag));
        let delete = self.client.delete_object().bucket(&*self.bucket).key(key);
        self.guarded(delete.customize()).send().await.map_err(failed)?;
        Ok(())
    }
}

fn is_gone<E: ProvideErrorMetadata, R>(error: &aws_sdk_s3::error::SdkError<E, R>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("NoSuchKey")
}
