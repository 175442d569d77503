//! Whether the bucket may be read and written, by an object that there is not.

use aws_sdk_s3::{
    error::{ProvideErrorMetadata as _, SdkError},
    operation::{get_object::GetObjectError, put_object::PutObjectError},
    primitives::ByteStream,
};

use crate::{Storage, StorageError, error::failed, key::StorageKey};

/// The name of no object: nothing is kept under it.
const NOTHING: uuid::Uuid = uuid::Uuid::nil();
/// An entity tag that no object has.
const NO_TAG: &str = "\"none\"";

impl Storage {
    /// Whether objects may be read: one that is not there is denied to whoever may not.
    pub async fn try_reading(&self) -> Result<(), StorageError> {
        match self.client.get_object().bucket(&*self.bucket).key(self.key(StorageKey::Kept(NOTHING))).send().await {
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => Ok(()),
            result => result.map(|_| ()).map_err(failed),
        }
    }

    /// Whether objects may be written: one that would have to be there already is not written.
    pub async fn try_writing(&self) -> Result<(), StorageError> {
        let put = self.client.put_object().bucket(&*self.bucket).key(self.key(StorageKey::Kept(NOTHING)));
        let put = put.body(ByteStream::from_static(b"")).if_match(NO_TAG);
        match put.send().await {
            Err(error) if is_unmet(&error) => Ok(()),
            result => result.map(|_| ()).map_err(failed),
        }
    }
}

/// Whether it was the condition that was refused, and not the right.
fn is_unmet(error: &SdkError<PutObjectError>) -> bool {
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    status == Some(412) || error.code() == Some("NoSuchKey")
}
