//! A proxy for benchmarks: it delays each request, limits each connection's bytes, and counts.
//!
//!     moorage-shape LISTEN TARGET [delay=MILLISECONDS] [rate=BYTES_PER_SECOND] [s3=TARGET]
//!                   [dynamodb=TARGET] [tls=yes]
//!
//! With `s3` it is in front of AWS: what is for S3 goes there, what is for DynamoDB to its own target if it has one, and S3
//! and DynamoDB alone are delayed. With `tls=yes` it speaks TLS, by a certificate that it makes and nobody vouches for, and
//! offers HTTP/2, as registries do; all streams of a connection have its limit together.
//! `GET /_counts` answers with what passed since the last such call; `GET /_delay/MILLISECONDS` sets another delay.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

mod counts;
mod pace;
mod settings;
mod units;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

use counts::Counts;
use pace::Pace;
use settings::Settings;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

struct Shape {
    settings: Settings,
    delay_ms: AtomicU64,
    client: reqwest::Client,
    counts: Mutex<Counts>,
}

#[tokio::main]
async fn main() {
    let settings = Settings::read(std::env::args().skip(1));
    let listener = TcpListener::bind(&settings.listen).await.unwrap();
    let tls = settings.tls.then(|| moorage_tests::proxy::offering(&["h2", "http/1.1"]));
    let (delay_ms, counts) = (AtomicU64::new(settings.delay_ms), Mutex::new(Counts::new()));
    let shape = Arc::new(Shape { settings, delay_ms, client: moorage_tests::http(), counts });
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // Small answers must not wait for acknowledgements.
        stream.set_nodelay(true).unwrap();
        let (shape, tls) = (Arc::clone(&shape), tls.clone());
        tokio::spawn(async move {
            let Some(tls) = tls else { return serve(shape, stream).await };
            // Whoever speaks no TLS has come to the wrong place.
            if let Ok(stream) = tls.accept(stream).await {
                serve(shape, stream).await;
            }
        });
    }
}

/// Answers what comes by one connection.
async fn serve(shape: Arc<Shape>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let pace = Pace::new(shape.settings.rate);
    let service = service_fn(move |request| answer(Arc::clone(&shape), pace.clone(), request));
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(shape: Arc<Shape>, pace: Pace, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let path = request.uri().path_and_query().unwrap().as_str().to_owned();
    if path == "/_counts" {
        let counts = shape.counts.lock().unwrap().read();
        return Ok(Response::new(full(counts.to_string().into())));
    }
    if let Some(delay) = path.strip_prefix("/_delay/") {
        shape.delay_ms.store(delay.parse().unwrap(), Ordering::Relaxed);
        return Ok(Response::new(full(Bytes::new())));
    }
    let s3 = shape.settings.s3.as_ref();
    let kind = match s3 {
        Some(_) => counts::of_aws(request.method(), request.headers(), &path),
        None => counts::of_registry(request.method(), &path),
    };
    shape.counts.lock().unwrap().request(&kind);
    if s3.is_none() || kind.starts_with(counts::S3) || kind.starts_with(counts::DYNAMODB) {
        tokio::time::sleep(Duration::from_millis(shape.delay_ms.load(Ordering::Relaxed))).await;
    }
    let s3 = s3.filter(|_| kind.starts_with(counts::S3));
    let dynamodb = shape.settings.dynamodb.as_ref().filter(|_| kind.starts_with(counts::DYNAMODB));
    let target = s3.or(dynamodb).unwrap_or(&shape.settings.target);
    let mut forward = shape.client.request(request.method().clone(), format!("{target}{path}"));
    // A registry tells its clients of the host that they have called. By HTTP/2 it is in the URL.
    let host = request.uri().authority().filter(|_| !request.headers().contains_key("host"));
    if let Some(host) = host.filter(|_| shape.settings.rate == 0) {
        forward = forward.header("host", host.as_str());
    }
    for (name, value) in request.headers() {
        if name != "host" || shape.settings.rate == 0 {
            forward = forward.header(name, value);
        }
    }
    let (body, mut asked) = (request.into_body(), Bytes::new());
    forward = if s3.is_some() {
        // It may be large.
        forward.body(reqwest::Body::wrap(body))
    } else {
        asked = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        forward.body(asked.clone())
    };
    let response = forward.send().await.map_err(std::io::Error::other)?;
    let mut builder = Response::builder().status(response.status());
    for (name, value) in response.headers() {
        if !matches!(name.as_str(), "connection" | "transfer-encoding") {
            builder = builder.header(name, value);
        }
    }
    if let Some(operation) = kind.strip_prefix(counts::DYNAMODB) {
        let answer = response.bytes().await.map_err(std::io::Error::other)?;
        let units = units::of(operation, &asked, &answer);
        shape.counts.lock().unwrap().consumed(units);
        return Ok(builder.body(full(answer)).unwrap());
    }
    let sent = move |bytes| shape.counts.lock().unwrap().sent(&kind, bytes);
    Ok(builder.body(pace.paced(response.bytes_stream(), sent)).unwrap())
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
