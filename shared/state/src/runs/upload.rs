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
    expires_at: Timestamp,
}

impl Table {
    /// Records how far an upload is, by whom `claim` is for: another run may go on with it since.
    pub async fn put_upload(
        &self,
        repository: &RepositoryName,
        upload: PendingUpload,
        claim: Uuid,
        now: Timestamp,
    ) -> Result<(), TransitionError> {
        let digest = upload.digest.clone();
        let expires_at = now.plus(UPLOAD_RETENTION);
        self.put_claimed(repository, claim, Key::Upload(repository, &digest), &UploadItem { upload, expires_at }).await
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

    /// Forgets an upload, after it was finished or given up, by whom `claim` is for.
    pub async fn delete_upload(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        claim: Uuid,
    ) -> Result<(), TransitionError> {
        self.delete_claimed(repository, claim, Key::Upload(repository, digest)).await
    }
}
