//! The bucket, and the memory that streaming into it may take.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client, config,
    error::{ProvideErrorMetadata, SdkError},
    operation::head_object::HeadObjectError,
};
use moorage_domain::Fence;
use tokio::sync::Semaphore;

use crate::{
    StorageError,
    error::{Refused, failed, refused},
    key::{StorageKey, StorageRoot},
};

/// The unit in which memory is budgeted: small blobs take little, so that many of them flow at once.
pub(crate) const MEMORY_UNIT: u64 = 64 * 1024;

/// The bucket. Cheap to clone; clones share the memory budget.
#[derive(Debug, Clone)]
pub struct Storage {
    pub(crate) client: Client,
    pub(crate) bucket: Arc<str>,
    pub(crate) root: Arc<StorageRoot>,
    pub(crate) memory: Arc<Semaphore>,
    pub(crate) budget: u64,
    /// Where the right ends by which links are changed, if it does.
    pub(crate) fence: Option<Fence>,
}

/// The configuration of the bucket's client, in a function whose clients of AWS have `aws` in common.
pub fn s3_config(aws: &SdkConfig) -> config::Builder {
    // An endpoint of one's own has no host name per bucket.
    config::Builder::from(aws).force_path_style(aws.endpoint_url().is_some())
}

impl Storage {
    /// The bucket `bucket`, with at most `budget` bytes of blobs held in memory at any time.
    pub fn new(client: Client, bucket: &str, root: StorageRoot, budget: u64) -> Self {
        let units = usize::try_from(budget / MEMORY_UNIT).unwrap_or(Semaphore::MAX_PERMITS);
        let memory = Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS)));
        Self { client, bucket: bucket.into(), root: Arc::new(root), memory, budget, fence: None }
    }

    pub(crate) fn key(&self, key: StorageKey<'_>) -> String {
        key.under(&self.root)
    }

    /// The length of an object, if there is one.
    pub(crate) async fn length(&self, key: &str) -> Result<Option<u64>, StorageError> {
        match self.client.head_object().bucket(&*self.bucket).key(key).send().await {
            Ok(object) => Ok(object.content_length().and_then(|length| u64::try_from(length).ok())),
            Err(error) if matches!(error.as_service_error(), Some(HeadObjectError::NotFound(_))) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// The result of writing an object "unless it is there": its content is given by its key, so whose bytes are there
    /// does not matter. Tells whether they are ours.
    pub(crate) async fn settle<T, E>(&self, key: &str, result: Result<T, SdkError<E>>) -> Result<bool, StorageError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let Err(error) = result else { return Ok(true) };
        match refused(&error) {
            Refused::Exists => Ok(false),
            Refused::Conflict if self.length(key).await?.is_some() => Ok(false),
            Refused::Conflict | Refused::Failed => Err(failed(error)),
        }
    }
}
