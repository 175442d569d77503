//! Uploads of large blobs that a repository's syncs have begun.

use std::time::Duration;

use moorage_domain::{Checkpoint, Digest, Generation, RepositoryName, Timestamp, run::RunId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    key::{Key, prefix, repository_pk},
    mirrors::transition::TransitionError,
};

/// How long a checkpoint is of use: a day less than the bucket keeps unfinished uploads.
const UPLOAD_RETENTION: Duration = Duration::from_secs(6 * 86_400);

/// An upload that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingUpload {
    /// The blob.
    pub digest: Digest,
    /// How much of it the bucket has.
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// The last run that wanted the blob.
    pub run_id: RunId,
    /// Which of the repositories of its name has begun it. What another one has hashed proves nothing to this one.
    #[serde(default)]
    pub generation: Generation,
    /// Whether the blob is fetched for the second time in its run: what came first was not what it should be.
    #[serde(default)]
    pub again: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct UploadItem {
    #[serde(flatten)]
    pub(crate) upload: PendingUpload,
    /// By which claim it was written. Items from before that was recorded are of none.
    #[serde(default)]
    claim: Uuid,
    expires_at: Timestamp,
}

impl UploadItem {
    fn new(upload: PendingUpload, claim: Uuid, now: Timestamp) -> Self {
        Self { upload, claim, expires_at: now.plus(UPLOAD_RETENTION) }
    }
}

impl Table {
    /// Records an upload that whoever `claim` is for begins, or goes on with since.
    pub async fn begin_upload(
        &self,
        repository: &RepositoryName,
        upload: PendingUpload,
        claim: Uuid,
        now: Timestamp,
    ) -> Result<(), TransitionError> {
        let (digest, item) = (upload.digest.clone(), UploadItem::new(upload, claim, now));
        self.put_claimed(repository, claim, Key::Upload(repository, &digest), &item).await
    }

    /// Records how far an upload is that was begun by the same claim.
    pub async fn put_upload(
        &self,
        repository: &RepositoryName,
        upload: PendingUpload,
        claim: Uuid,
        now: Timestamp,
    ) -> Result<(), TransitionError> {
        let (digest, item) = (upload.digest.clone(), UploadItem::new(upload, claim, now));
        self.put_own(repository, claim, Key::Upload(repository, &digest), &item).await
    }

    /// The unfinished upload of a blob. One that has expired is returned, too: the bucket knows whether it is there.
    pub async fn upload(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<PendingUpload>, StateError> {
        let item: Option<UploadItem> = self.get(Key::Upload(repository, digest)).await?;
        Ok(item.map(|item| item.upload))
    }

    /// All unfinished uploads of a repository.
    pub async fn uploads(&self, repository: &RepositoryName) -> Result<Vec<PendingUpload>, StateError> {
        let items: Vec<UploadItem> = self.all(repository_pk(repository), prefix::UPLOAD).await?;
        Ok(items.into_iter().map(|item| item.upload).collect())
    }

    /// Forgets an upload that was begun by the same claim, after it was finished.
    pub async fn delete_upload(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        claim: Uuid,
    ) -> Result<(), TransitionError> {
        self.delete_own(repository, claim, Key::Upload(repository, digest)).await
    }

    /// Forgets an upload, whoever has begun it, after it was given up by whom `claim` is for.
    pub async fn give_up_upload(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        claim: Uuid,
    ) -> Result<(), TransitionError> {
        self.delete_claimed(repository, claim, Key::Upload(repository, digest)).await
    }
}
