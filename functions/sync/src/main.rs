//! The sync function: EventBridge Scheduler, Sync Now and continuations invoke it with a `SyncRequest`, the API and a
//! schedule of the stack with a `Task`, and a rule of EventBridge with what it says of ECR.

mod config;
mod error;
mod event;
mod handler;
mod health;
mod reconcile;
mod sync;
mod task;
mod turn;

use config::Config;
use lambda_runtime::{Error, run, service_fn};
use moorage_runtime::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_runtime::init();
    let services = Config::read(&Environment::of_process())?.services();
    run(service_fn(|event| handler::handle(&services, event))).await
}
