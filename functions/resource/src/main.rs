//! CloudFormation's custom resources: a stack declares organizations, robots, repositories, mirrors, permissions and
//! notifications, and this function makes them so by the management API.

mod answer;
mod callback;
mod calls;
mod config;
mod declared;
mod event;
mod failure;
mod handler;
mod kind;
mod provision;
mod registry;
mod secrets;
mod settings;
mod target;
mod typed;

use config::Config;
use lambda_runtime::{Error, run, service_fn};
use moorage_runtime::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_runtime::init();
    let function = Config::read(&Environment::of_process())?.function()?;
    run(service_fn(|event| handler::handle(&function, event))).await
}
