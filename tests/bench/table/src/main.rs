//! The benchmarks' DynamoDB: in memory, compiled, so that it is not what is measured.
//!
//!     moorage-table LISTEN
//!
//! It is the one of rustack, which says nothing of what a request consumes: that is added here (`capacity.rs`), since our
//! functions ask for it, and tell what their runs cost.

mod capacity;
mod item;

use std::{error::Error, sync::Arc};

use capacity::Charging;
use hyper_util::rt::TokioIo;
use rustack_dynamodb_core::{config::DynamoDBConfig, handler::RustackDynamoDBHandler, provider::RustackDynamoDB};
use rustack_dynamodb_http::{DynamoDBHttpConfig, DynamoDBHttpService};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen = std::env::args().nth(1).ok_or("usage: moorage-table LISTEN")?;
    let tables = RustackDynamoDBHandler::new(Arc::new(RustackDynamoDB::new(DynamoDBConfig::default())));
    let handler = Arc::new(Charging::new(tables));
    let service = DynamoDBHttpService::new(handler, DynamoDBHttpConfig::default());
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            // A client that goes away is no failure.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
