//! The function of notifications: the sync function and the API invoke it with a `Notice`, and its queue with messages that
//! are to be delivered.

mod config;
mod event;
mod handler;

use config::Config;
use lambda_runtime::{Error, run, service_fn};
use moorage_runtime::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_runtime::init();
    let notifier = Config::read(&Environment::of_process())?.notifier();
    run(service_fn(|event| handler::handle(&notifier, event))).await
}
