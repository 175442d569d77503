//! The sync function: EventBridge Scheduler, Sync Now and continuations invoke it with a `SyncRequest`, the API and a
//! schedule of the stack with a `Task`.

mod config;
mod error;
mod handler;
mod reconcile;
mod sync;
mod task;
mod turn;

use config::Config;
use lambda_runtime::{Error, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_telemetry::init();
    let services = Config::from_env()?.services();
    run(service_fn(|event| handler::handle(&services, event))).await
}
