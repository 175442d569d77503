//! An S3 for benchmarks of the collector and of verifications: a bucket in memory with so many repositories of so many tags
//! in the registry's layout, each with an image of its own and, in each repository, one that no tag needs. It answers
//! after a pause, and to what is asked of it there only. At the same address is a registry that has the same, at once.
//!
//!     moorage-shelf LISTEN DELAY_MS NAMESPACE REPOSITORIES TAGS
//!
//! `GET /_counts` answers with what was asked of S3 since the last such call, `GET /_tags/NAMESPACE/rNNNNN` with a
//! repository's tags and their digests.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

mod bucket;
mod registry;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use bucket::Bucket;

struct Shelf {
    delay: Duration,
    bucket: Mutex<Bucket>,
    counts: Mutex<BTreeMap<String, u64>>,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, delay, namespace, repositories, tags] = &arguments[..] else {
        panic!("LISTEN DELAY_MS NAMESPACE REPOSITORIES TAGS")
    };
    let bucket = Bucket::seeded(namespace, repositories.parse().unwrap(), tags.parse().unwrap());
    let (delay, bucket) = (Duration::from_millis(delay.parse().unwrap()), Mutex::new(bucket));
    let shelf = Arc::new(Shelf { delay, bucket, counts: Mutex::default() });
    let listener = TcpListener::bind(listen).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let shelf = Arc::clone(&shelf);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shelf), request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(shelf: Arc<Shelf>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let url = reqwest::Url::parse(&format!("http://shelf{}", request.uri())).unwrap();
    if url.path() == "/_counts" {
        let (counts, bucket) = (std::mem::take(&mut *shelf.counts.lock().unwrap()), shelf.bucket.lock().unwrap());
        let counts = json!({"requests": counts, "objects": bucket.len()});
        return Ok(Response::new(Full::new(counts.to_string().into())));
    }
    let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    if let Some(name) = url.path().strip_prefix("/_tags/") {
        let bucket = shelf.bucket.lock().unwrap();
        let tags = bucket.tags(name, "", usize::MAX).into_iter();
        let tags: BTreeMap<&str, String> = tags.map(|tag| (tag, bucket.manifest(name, tag).unwrap().0)).collect();
        return Ok(Response::new(Full::new(json!(tags).to_string().into())));
    }
    if url.path().starts_with("/v2/") {
        return Ok(registry::answer(&shelf.bucket.lock().unwrap(), url.path(), &query));
    }
    let method = request.method().clone();
    // Path style: the bucket is the first part. No key here needs decoding.
    let key = url.path().trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_owned();
    let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    tokio::time::sleep(shelf.delay).await;
    let mut bucket = shelf.bucket.lock().unwrap();
    let kind = match (&method, query.contains_key("list-type")) {
        (_, true) => "LIST".to_owned(),
        (method, _) => method.to_string(),
    };
    *shelf.counts.lock().unwrap().entry(format!("S3 {kind}")).or_default() += 1;
    let xml = |text: String| Response::builder().header("content-type", "application/xml").body(Full::new(text.into()));
    let answer = if query.contains_key("list-type") {
        xml(bucket.list(&query))
    } else if query.contains_key("uploads") {
        xml("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>".to_owned())
    } else if method == Method::POST && query.contains_key("delete") {
        bucket.delete_all(std::str::from_utf8(&body).unwrap());
        xml("<DeleteResult/>".to_owned())
    } else if method == Method::DELETE {
        bucket.delete(&key);
        Response::builder().status(204).body(Full::default())
    } else if let Some((etag, bytes)) = bucket.get(&key) {
        Response::builder().header("etag", etag).body(Full::new(bytes))
    } else {
        let missing = "<Error><Code>NoSuchKey</Code></Error>";
        Response::builder().status(404).header("content-type", "application/xml").body(Full::new(missing.into()))
    };
    Ok(answer.unwrap())
}
