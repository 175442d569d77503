//! The registry that clients pull from: the pull side of the distribution-spec v1.1.1, below `/v2/`.

mod config;
mod handler;

use config::Config;
use lambda_http::{Error, Request, run, service_fn};
use moorage_runtime::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_runtime::init();
    let registry = Config::read(&Environment::of_process())?.registry();
    run(service_fn(|request: Request| handler::handle(&registry, request))).await
}
