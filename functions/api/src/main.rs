//! The management API: Quay's, below `/api/v1`.

mod answer;
mod api;
mod auth;
mod config;
mod error;
mod field;
mod handler;
mod mirror;
mod mirror_body;
mod organization;
mod permission;
mod repository;
mod robot;
mod route;
mod runs;
mod usage_log;

use config::Config;
use lambda_http::{Error, Request, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_telemetry::init();
    let api = Config::from_env()?.api().await;
    run(service_fn(|request: Request| handler::handle(&api, request))).await
}
