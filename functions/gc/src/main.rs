//! The garbage collector's function: its schedule, people, and collections that go on invoke it with a `CollectRequest`.

mod config;
mod handler;

use config::Config;
use lambda_runtime::{Error, run, service_fn};
use moorage_runtime::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_runtime::init();
    let function = Config::read(&Environment::of_process())?.function();
    run(service_fn(|event| handler::handle(&function, event))).await
}
