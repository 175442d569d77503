//! The console: static pages that call the public API with the reader's own token. The function has no rights.

mod answer;
mod files;
mod handler;
#[cfg(test)]
#[path = "../style.rs"]
mod style;

use std::{convert::Infallible, future::ready};

use lambda_http::{Error, Request, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    moorage_runtime::init();
    run(service_fn(|request: Request| ready(Ok::<_, Infallible>(handler::handle(&request))))).await
}
