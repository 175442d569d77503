//! CloudFormation's custom resources: a stack declares organizations, robots, repositories, mirrors, permissions and
//! notifications, and this function makes them so by the management API.

mod config;
mod handler;

use config::Config;
use lambda_runtime::{Error, run, service_fn};
use moorage_runtime::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_runtime::init();
    let resources = Config::read(&Environment::of_process())?.resources()?;
    run(service_fn(|event| handler::handle(&resources, event))).await
}
