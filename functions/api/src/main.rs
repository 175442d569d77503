//! The management API: Quay's, below `/api/v1`.

mod config;
mod handler;

use config::Config;
use lambda_http::{Error, Request, run, service_fn};
use moorage_runtime::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_runtime::init();
    let api = Config::read(&Environment::of_process())?.api();
    run(service_fn(|request: Request| handler::handle(&api, request))).await
}
