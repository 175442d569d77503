//! A proxy for benchmarks: it delays each request, limits each connection's bytes, and counts.
//!
//!     moorage-shape LISTEN TARGET DELAY_MS BYTES_PER_SECOND
//!
//! `GET /_counts` answers with what passed since the last such call.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

mod counts;
mod units;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_core::Stream as _;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Frame, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use counts::Counts;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// What is waited for at once, so that a limit is kept evenly.
const CHUNK: usize = 32 * 1024;

/// How far a connection may be behind its limit and still catch up.
const CATCH_UP: Duration = Duration::from_millis(20);

struct Shape {
    target: String,
    delay: Duration,
    /// Bytes a second of one connection; 0 for any.
    rate: u64,
    client: reqwest::Client,
    counts: Mutex<Counts>,
}

/// When a connection may send again.
type Pace = Arc<tokio::sync::Mutex<Instant>>;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, target, delay, rate] = &arguments[..] else { panic!("LISTEN TARGET DELAY_MS BYTES_PER_SECOND") };
    let shape = Arc::new(Shape {
        target: target.clone(),
        delay: Duration::from_millis(delay.parse().unwrap()),
        rate: rate.parse().unwrap(),
        client: moorage_tests::http(),
        counts: Mutex::new(Counts::new()),
    });
    let listener = TcpListener::bind(listen).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // Small answers must not wait for acknowledgements.
        stream.set_nodelay(true).unwrap();
        let (shape, pace) = (Arc::clone(&shape), Pace::new(tokio::sync::Mutex::new(Instant::now())));
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shape), Arc::clone(&pace), request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(shape: Arc<Shape>, pace: Pace, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let path = request.uri().path_and_query().unwrap().as_str().to_owned();
    if path == "/_counts" {
        let counts = shape.counts.lock().unwrap().read();
        return Ok(Response::new(full(counts.to_string().into())));
    }
    let kind = counts::kind(request.method(), request.headers(), &path);
    shape.counts.lock().unwrap().request(&kind);
    tokio::time::sleep(shape.delay).await;
    let mut forward = shape.client.request(request.method().clone(), format!("{}{path}", shape.target));
    for (name, value) in request.headers() {
        if name != "host" || shape.rate == 0 {
            forward = forward.header(name, value);
        }
    }
    let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    let response = forward.body(body.clone()).send().await.map_err(std::io::Error::other)?;
    let mut builder = Response::builder().status(response.status());
    for (name, value) in response.headers() {
        if !matches!(name.as_str(), "connection" | "transfer-encoding") {
            builder = builder.header(name, value);
        }
    }
    if let Some(operation) = kind.strip_prefix(counts::DYNAMODB) {
        let answer = response.bytes().await.map_err(std::io::Error::other)?;
        let units = units::of(operation, &body, answer.len());
        shape.counts.lock().unwrap().consumed(units);
        return Ok(builder.body(full(answer)).unwrap());
    }
    let mut stream = Box::pin(response.bytes_stream());
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(chunk) = std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await {
            let Ok(mut chunk) = chunk else { return };
            while !chunk.is_empty() {
                let part = chunk.split_to(chunk.len().min(CHUNK));
                shape.counts.lock().unwrap().sent(&kind, part.len());
                // No rate, no pause.
                if let Some(takes) = (part.len() as u64 * 1_000_000_000).checked_div(shape.rate) {
                    let mut free = pace.lock().await;
                    tokio::time::sleep_until((*free).into()).await;
                    // A little that was not used may be made up for.
                    let now = Instant::now();
                    *free = (*free).max(now.checked_sub(CATCH_UP).unwrap_or(now)) + Duration::from_nanos(takes);
                }
                if sender.send(Ok(Frame::data(part))).await.is_err() {
                    return;
                }
            }
        }
    });
    let body = std::future::poll_fn(move |context| receiver.poll_recv(context));
    Ok(builder.body(StreamBody::new(Frames(Box::pin(body))).boxed_unsync()).unwrap())
}

/// A channel's receiving end as a stream.
struct Frames<F>(std::pin::Pin<Box<F>>);

impl<F> futures_core::Stream for Frames<F>
where
    F: Future<Output = Option<Result<Frame<Bytes>, std::io::Error>>>,
{
    type Item = Result<Frame<Bytes>, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.as_mut().poll(context)
    }
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
