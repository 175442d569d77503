//! What the function that syncs may do, as it finds by trying.

use futures_util::future::{BoxFuture, join_all};
use moorage_domain::{
    Ciphertext,
    rights::{Right, RightCheck},
    task::TaskAnswer,
};
use moorage_runtime::try_right;
use moorage_schedule::ScheduleError;
use moorage_state::{Purpose, SecretError, StateError};
use moorage_storage::StorageError;

use crate::engine::Engine;

impl Engine {
    /// Tries what a sync has to be able to do, by calls that change nothing, all at once. `sample` is what shows that passwords of
    /// registries can be decrypted; without it that is not tried.
    pub async fn check_rights(&self, sample: Option<&Ciphertext>) -> TaskAnswer {
        // Boxed: each holds the state of a request.
        let mut checks: Vec<BoxFuture<'_, RightCheck>> = vec![
            Box::pin(try_right(Right::ReadBucket, self.storage.try_reading(), StorageError::service)),
            Box::pin(try_right(Right::WriteBucket, self.storage.try_writing(), StorageError::service)),
            Box::pin(try_right(Right::ReadTable, self.table.try_reading(), StateError::service)),
            Box::pin(try_right(Right::WriteTable, self.table.try_writing(), StateError::service)),
            Box::pin(try_right(Right::ChangeSchedules, self.scheduler.try_removing(), ScheduleError::service)),
            Box::pin(try_right(Right::InvokeSync, self.invoker.try_invoking(), ScheduleError::service)),
            Box::pin(try_right(Right::InvokeEvents, self.teller.try_invoking(), ScheduleError::service)),
        ];
        if let Some(sample) = sample {
            let decrypted = self.secrets.decrypt(Purpose::Sample, sample);
            checks.push(Box::pin(try_right(Right::DecryptSecrets, decrypted, SecretError::service)));
        }
        TaskAnswer::Rights(join_all(checks).await)
    }
}
