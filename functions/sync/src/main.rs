//! The sync function: EventBridge Scheduler, Sync Now and continuations invoke it with a `SyncRequest`.

mod config;
mod handler;

use config::Config;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use moorage_domain::run::SyncRequest;

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_telemetry::init();
    let engine = Config::from_env()?.engine().await;
    run(service_fn(|event: LambdaEvent<SyncRequest>| handler::handle(&engine, event.payload))).await
}
