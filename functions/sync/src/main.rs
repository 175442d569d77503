//! The sync function: EventBridge Scheduler, Sync Now and continuations invoke it with a `SyncRequest`.

mod config;
mod handler;

use config::Config;
use lambda_runtime::{Error, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_telemetry::init();
    let engine = Config::from_env()?.engine().await;
    run(service_fn(|event| handler::handle(&engine, event))).await
}
