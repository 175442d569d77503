//! What the functions may do, as they find by trying: the API itself, and the sync function, which is asked.

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use moorage_domain::{
    Ciphertext, SecretString,
    rights::{Right, RightCheck},
    task::{Task, TaskAnswer},
};
use moorage_runtime::try_right;
use moorage_schedule::ScheduleError;
use moorage_state::{Purpose, SecretError, StateError};
use serde_json::{Value, json};

use crate::api::Api;

/// How long the sync function is waited for: its own tries take five seconds at most, and the API Gateway waits 30 for all of
/// this.
const PATIENCE: Duration = Duration::from_secs(15);
/// What is encrypted to see whether it can be.
const SAMPLE: &str = "sample";

/// What both may do. The other functions are asked by nobody but their schedules, queues and clients.
pub(crate) async fn view(api: &Api) -> Value {
    let (own, sample) = of_api(api).await;
    let of_sync = of_sync(api, sample).await;
    let all = own.iter().map(|check| shown("api", check)).chain(of_sync.iter().map(|check| shown("sync", check)));
    all.collect()
}

fn shown(function: &str, check: &RightCheck) -> Value {
    json!({"function": function, "right": check.right, "result": check.result, "message": check.message})
}

/// What the API may do, with what it has encrypted for the sync function.
async fn of_api(api: &Api) -> (Vec<RightCheck>, Option<Ciphertext>) {
    let secret = SecretString::from(SAMPLE);
    let mut sample = None;
    let encrypted = async {
        let encrypted = api.secrets.encrypt(Purpose::Sample, &secret).await?;
        sample = Some(encrypted);
        Ok::<_, SecretError>(())
    };
    let encrypts = Box::pin(try_right(Right::EncryptSecrets, encrypted, SecretError::service)).await;
    let decrypted = async {
        let encrypted = api.secrets.encrypt(Purpose::RobotSample, &secret).await?;
        api.secrets.decrypt(Purpose::RobotSample, &encrypted).await
    };
    // Boxed: each holds the state of a request.
    let checks: Vec<BoxFuture<'_, RightCheck>> = vec![
        Box::pin(try_right(Right::ReadTable, api.table.try_reading(), StateError::service)),
        Box::pin(try_right(Right::WriteTable, api.table.try_writing(), StateError::service)),
        Box::pin(try_right(Right::DecryptSecrets, decrypted, SecretError::service)),
        Box::pin(try_right(Right::ChangeSchedules, api.scheduler.try_removing(), ScheduleError::service)),
        Box::pin(try_right(Right::InvokeSync, api.invoker.try_invoking(), ScheduleError::service)),
        Box::pin(try_right(Right::InvokeEvents, api.teller.try_invoking(), ScheduleError::service)),
    ];
    let mut checks = join_all(checks).await;
    checks.push(encrypts);
    (checks, sample)
}

/// What the sync function says that it may do; if it does not say it, that it does not.
async fn of_sync(api: &Api, sample: Option<Ciphertext>) -> Vec<RightCheck> {
    let task = Task::CheckRights { sample };
    match tokio::time::timeout(PATIENCE, api.invoker.ask(&task)).await {
        Err(_) => vec![RightCheck::failed(Right::Answer, "it does not answer in time")],
        Ok(Ok(TaskAnswer::Rights(rights))) => rights,
        Ok(Ok(_)) => vec![RightCheck::failed(Right::Answer, "it answers something else")],
        Ok(Err(error)) => {
            tracing::warn!(%error, "the sync function does not say what it may do");
            vec![match error.service() {
                Some(error) => RightCheck::refused(Right::Answer, error),
                None => RightCheck::failed(Right::Answer, "it failed, and its log says why"),
            }]
        }
    }
}
