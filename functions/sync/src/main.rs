//! The sync function: EventBridge Scheduler, Sync Now and continuations invoke it with a `SyncRequest`, the API and a
//! schedule of the stack with a `Task`.

mod config;
mod handler;
mod task;

use config::Config;
use lambda_runtime::{Error, run, service_fn};
use moorage_runtime::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_runtime::init();
    let engine = Config::read(&Environment::of_process())?.engine();
    run(service_fn(|event| task::handle(&engine, event))).await
}
