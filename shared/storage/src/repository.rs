//! A repository as a whole: whether it has anything, and its end.

use aws_sdk_s3::{
    error::ErrorMetadata,
    operation::delete_objects::DeleteObjectsError,
    types::{Delete, Error as Undeleted, ObjectIdentifier},
};
use moorage_domain::{RepositoryName, ServiceError};

use crate::{
    Storage, StorageError,
    error::failed,
    key::{repository_prefix, repository_prefixes},
};

impl Storage {
    /// Whether anything belongs to a repository, or has its name from an earlier one.
    pub async fn has_anything(&self, repository: &RepositoryName) -> Result<bool, StorageError> {
        let prefix = repository_prefix(&self.root, repository);
        let list = self.client.list_objects_v2().bucket(&*self.bucket).prefix(prefix).max_keys(1);
        Ok(!list.send().await.map_err(failed)?.contents().is_empty())
    }

    /// Deletes everything of a repository but the content that it shares with others: tags first, so that nobody finds a
    /// tag whose manifest is gone.
    pub async fn delete_repository(&self, repository: &RepositoryName) -> Result<(), StorageError> {
        let [manifests, layers, uploads] = repository_prefixes(&self.root, repository);
        for prefix in [format!("{manifests}tags/"), manifests, layers, uploads] {
            self.delete_below(&prefix).await?;
        }
        Ok(())
    }

    /// Deletes all objects whose keys begin with `prefix`. The bucket's versions keep them for the retention time.
    pub(crate) async fn delete_below(&self, prefix: &str) -> Result<(), StorageError> {
        loop {
            let list = self.client.list_objects_v2().bucket(&*self.bucket).prefix(prefix);
            let listed = list.send().await.map_err(failed)?;
            let keys: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
            if keys.is_empty() {
                return Ok(());
            }
            self.delete_keys(&keys).await?;
        }
    }

    /// Deletes objects, at most as many as one request takes (1,000).
    pub(crate) async fn delete_keys(&self, keys: &[impl AsRef<str>]) -> Result<(), StorageError> {
        let keys = keys.iter().map(|key| ObjectIdentifier::builder().key(key.as_ref()).build());
        let keys = keys.collect::<Result<Vec<_>, _>>();
        let keys = keys.map_err(|error| StorageError::Unavailable(error.to_string()))?;
        let delete = Delete::builder().set_objects(Some(keys)).quiet(true).build();
        let delete = delete.map_err(|error| StorageError::Unavailable(error.to_string()))?;
        let delete = self.client.delete_objects().bucket(&*self.bucket).delete(delete);
        let deleted = self.guarded(delete.customize()).send().await;
        match deleted.map_err(failed)?.errors().first() {
            Some(error) => Err(undeleted(error)),
            None => Ok(()),
        }
    }
}

/// S3 answers 200 also where it did not delete an object: why is in the answer.
fn undeleted(object: &Undeleted) -> StorageError {
    let mut said = ErrorMetadata::builder();
    if let Some(code) = object.code() {
        said = said.code(code);
    }
    if let Some(message) = object.message() {
        said = said.message(message);
    }
    ServiceError::new("S3", object.code().map(str::to_owned), None, DeleteObjectsError::generic(said.build())).into()
}
