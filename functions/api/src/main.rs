//! The management API: Quay's, below `/api/v1`.

mod about;
mod answer;
mod api;
mod auth;
mod caller;
mod capabilities;
mod config;
mod endpoint;
mod endpoints;
mod entity;
mod error;
mod field;
mod handler;
mod health;
mod mirror;
mod mirror_body;
mod mirror_end;
mod mirror_schedule;
mod mirror_secrets;
mod openapi;
mod organization;
mod organization_end;
mod organization_mirror;
mod organization_mirror_body;
mod organization_mirror_list;
mod organization_mirror_schedule;
mod permission;
mod preview;
mod rate_limit;
mod repository;
mod repository_end;
mod repository_list;
mod robot;
mod robot_credentials;
mod robot_registry;
mod route;
mod runs;
mod share;
mod sync_policy;
mod tag;
mod tag_change;
mod team;
mod team_member;
mod team_permission;
mod token;
mod usage_log;
mod user;

use config::Config;
use lambda_http::{Error, Request, run, service_fn};
use moorage_runtime::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_runtime::init();
    let api = Config::read(&Environment::of_process())?.api();
    run(service_fn(|request: Request| handler::handle(&api, request))).await
}
