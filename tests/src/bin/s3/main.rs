//! An S3 for benchmarks, in memory: it is not to be what is measured. It speaks what Moorage and stock registries ask of
//! S3: objects with conditions, ranges and copies, uploads in parts, and both kinds of listings. It looks at no signature
//! and checks no checksum, has no versions, and every bucket that is named.
//!
//!     moorage-s3 LISTEN
//!
//! `GET /_empty` forgets all objects and uploads.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

mod answer;
mod body;
mod listing;
mod object;
mod request;
mod store;
#[cfg(test)]
mod tests;
mod uploads;

use std::sync::{Arc, Mutex};

use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use body::Body;
use store::Store;

#[tokio::main]
async fn main() {
    let listen = std::env::args().nth(1).unwrap();
    self::listen(TcpListener::bind(listen).await.unwrap(), Arc::new(Mutex::new(Store::default()))).await;
}

async fn listen(listener: TcpListener, store: Arc<Mutex<Store>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // Small answers must not wait for acknowledgements.
        stream.set_nodelay(true).unwrap();
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let service = service_fn(move |request| serve(Arc::clone(&store), request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn serve(store: Arc<Mutex<Store>>, request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let request = request::Request::read(request).await?;
    Ok(answer::answer(&mut store.lock().unwrap(), &request))
}
