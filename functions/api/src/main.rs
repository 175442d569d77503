//! The management API: Quay's, below `/api/v1`.

mod config;
mod handler;

use config::Config;
use lambda_http::{Error, Request, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_telemetry::init();
    let api = Config::from_env()?.api().await;
    run(service_fn(|request: Request| handler::handle(&api, request))).await
}
