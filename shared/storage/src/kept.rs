//! What a collector keeps from one invocation to the next.

use aws_sdk_s3::{operation::get_object::GetObjectError, primitives::ByteStream};
use bytes::Bytes;
use uuid::Uuid;

use crate::{
    Storage, StorageError,
    error::{broken_off, failed},
    key::StorageKey,
};

impl Storage {
    /// Keeps something of a collection, instead of what was kept of it before.
    pub async fn keep(&self, collection: Uuid, bytes: Vec<u8>) -> Result<(), StorageError> {
        let put = self.client.put_object().bucket(&*self.bucket).key(self.key(StorageKey::Kept(collection)));
        put.body(ByteStream::from(bytes)).send().await.map_err(failed)?;
        Ok(())
    }

    /// What was kept of a collection, if anything was.
    pub async fn kept(&self, collection: Uuid) -> Result<Option<Bytes>, StorageError> {
        let get = self.client.get_object().bucket(&*self.bucket).key(self.key(StorageKey::Kept(collection)));
        match get.send().await {
            Ok(object) => {
                let body = object.body.collect().await.map_err(|error| broken_off(&error))?;
                Ok(Some(body.into_bytes()))
            }
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Deletes what was kept of a collection.
    pub async fn forget_kept(&self, collection: Uuid) -> Result<(), StorageError> {
        let delete = self.client.delete_object().bucket(&*self.bucket).key(self.key(StorageKey::Kept(collection)));
        delete.send().await.map_err(failed)?;
        Ok(())
    }
}
