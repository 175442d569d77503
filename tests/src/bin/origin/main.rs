//! The benchmarks' external registry: reads what a stock registry's storage holds, and is quicker at that, so that its
//! processor time is not what is measured. It answers to what tools ask of a registry that they copy from, as a stock one
//! does; nobody logs in, and nothing is written.
//!
//!     moorage-origin LISTEN STORAGE
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

mod storage;

use std::{collections::BTreeMap, fs::File, io, ops::Range, os::unix::fs::FileExt as _, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Method, Request, Response, body::Frame, body::Incoming, http::response::Builder, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use storage::Storage;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Tags of a page, unless fewer are asked for: as many as a stock registry gives.
const PAGE: usize = 1000;
/// Bytes of a blob that are read at once.
const PIECE: usize = 256 * 1024;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let listener = TcpListener::bind(arguments.next().unwrap()).await.unwrap();
    let storage = Arc::new(Storage::new(arguments.next().unwrap()));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let storage = Arc::clone(&storage);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answered = answer(&storage, &request);
                std::future::ready(io::Result::Ok(answered.unwrap_or_else(|| refusal(&request))))
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Answers what is there.
fn answer(storage: &Storage, request: &Request<Incoming>) -> Option<Response<Body>> {
    let url = reqwest::Url::parse(&format!("http://origin{}", request.uri())).unwrap();
    let path = url.path().strip_prefix("/v2/")?;
    let is_head = request.method() == Method::HEAD;
    let builder = Response::builder().header("docker-distribution-api-version", "registry/2.0");
    if path.is_empty() {
        return Some(small(builder.header("content-type", "application/json"), "{}".into(), is_head));
    }
    if let Some(name) = path.strip_suffix("/tags/list") {
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        return Some(tags(storage, builder, name, &query));
    }
    if let Some((name, reference)) = path.split_once("/manifests/") {
        let (digest, media_type, bytes) = storage.manifest(name, reference)?;
        let builder = builder.header("content-type", media_type).header("etag", format!("\"{digest}\""));
        return Some(small(builder.header("docker-content-digest", digest), bytes.into(), is_head));
    }
    let (name, digest) = path.split_once("/blobs/")?;
    let (file, size) = storage.blob(name, digest)?;
    let builder = builder.header("content-type", "application/octet-stream").header("accept-ranges", "bytes");
    let builder = builder.header("docker-content-digest", digest).header("etag", format!("\"{digest}\""));
    let asked = request.headers().get("range").and_then(|range| range.to_str().ok());
    let (builder, range) = match asked.and_then(|asked| part(asked, size)) {
        Some(it) => {
            let said = format!("bytes {}-{}/{size}", it.start, it.end - 1);
            (builder.status(206).header("content-range", said), it)
        }
        None => (builder, 0..size),
    };
    let builder = builder.header("content-length", range.end - range.start);
    Some(builder.body(if is_head { full(Bytes::new()) } else { pieces(file, range) }).unwrap())
}

/// A page of a repository's tags. What a stock registry says of one that is not there is not asked for here.
fn tags(storage: &Storage, builder: Builder, name: &str, query: &BTreeMap<String, String>) -> Response<Body> {
    let asked = query.get("n").and_then(|n| n.parse().ok()).unwrap_or(PAGE).min(PAGE);
    let all = storage.tags(name);
    if storage.tells_digests(name) {
        return small(builder.header("content-type", "application/json"), told(storage, name, &all), false);
    }
    let begin = query.get("last").map_or(0, |last| all.partition_point(|tag| tag <= last));
    let page = &all[begin..all.len().min(begin + asked)];
    let builder = builder.header("content-type", "application/json");
    let builder = match page.last().filter(|_| begin + page.len() < all.len()) {
        Some(last) => builder.header("link", format!("</v2/{name}/tags/list?last={last}&n={asked}>; rel=\"next\"")),
        None => builder,
    };
    small(builder, json!({"name": name, "tags": page}).to_string().into(), false)
}

/// All tags, and what they point to, as Google's registries say it: on one page.
fn told(storage: &Storage, name: &str, tags: &[String]) -> Bytes {
    let mut pointed: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for tag in tags {
        pointed.entry(storage.digest(name, tag).unwrap()).or_default().push(tag);
    }
    let entry = |(digest, tags)| (digest, json!({"imageSizeBytes": "1", "layerId": "", "mediaType": "m", "tag": tags}));
    let manifests: serde_json::Map<_, _> = pointed.into_iter().map(entry).collect();
    json!({"child": [], "manifest": manifests, "name": name, "tags": tags}).to_string().into()
}

/// What is not there, or not this registry's.
fn refusal(request: &Request<Incoming>) -> Response<Body> {
    let code = if request.uri().path().contains("/manifests/") { "MANIFEST_UNKNOWN" } else { "BLOB_UNKNOWN" };
    let body = json!({"errors": [{"code": code, "message": "not here"}]}).to_string();
    let builder = Response::builder().status(404).header("content-type", "application/json");
    small(builder, body.into(), request.method() == Method::HEAD)
}

fn small(builder: Builder, bytes: Bytes, is_head: bool) -> Response<Body> {
    let builder = builder.header("content-length", bytes.len());
    builder.body(full(if is_head { Bytes::new() } else { bytes })).unwrap()
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A part of a file, read while it is sent.
fn pieces(file: File, range: Range<u64>) -> Body {
    let file = Arc::new(file);
    let read = stream::try_unfold(range.start, move |at| {
        let (file, left) = (Arc::clone(&file), usize::try_from(range.end - at).unwrap());
        async move {
            if left == 0 {
                return Ok(None);
            }
            let mut piece = vec![0; left.min(PIECE)];
            file.read_exact_at(&mut piece, at)?;
            let next = at + piece.len() as u64;
            Ok(Some((Bytes::from(piece), next)))
        }
    });
    StreamBody::new(read.map(|piece: io::Result<Bytes>| piece.map(Frame::data))).boxed_unsync()
}

/// The bytes that a `Range` asks for: one range that has a beginning.
fn part(asked: &str, size: u64) -> Option<Range<u64>> {
    let (start, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let start = start.parse().ok()?;
    let end = last.parse().map_or(size, |last: u64| size.min(last + 1));
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_where_the_blob_does() {
        assert_eq!(part("bytes=2-4", 10), Some(2..5));
        assert_eq!(part("bytes=2-", 10), Some(2..10));
        assert_eq!(part("bytes=2-99", 10), Some(2..10));
        assert_eq!(part("bytes=10-", 10), None);
    }
}
