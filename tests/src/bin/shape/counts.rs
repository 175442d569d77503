//! What passed through: requests by kind, bytes, when each kind first brought any, and what DynamoDB would charge.

use std::{collections::BTreeMap, time::Instant};

use hyper::{HeaderMap, Method};
use serde_json::{Value, json};

use crate::units::Units;

/// What the kinds of requests to DynamoDB and to S3 begin with.
pub(crate) const DYNAMODB: &str = "DynamoDB ";
pub(crate) const S3: &str = "S3 ";

/// Everything since the last reading.
#[derive(Debug)]
pub(crate) struct Counts {
    since: Instant,
    requests: BTreeMap<String, u64>,
    /// Bytes of answers' bodies.
    bytes: u64,
    /// Milliseconds until the first byte of a body, by kind.
    first_ms: BTreeMap<String, u128>,
    read_units: f64,
    write_units: f64,
}

impl Counts {
    pub(crate) fn new() -> Self {
        let (requests, first_ms) = (BTreeMap::new(), BTreeMap::new());
        Self { since: Instant::now(), requests, bytes: 0, first_ms, read_units: 0.0, write_units: 0.0 }
    }

    /// Tells everything, and begins anew.
    pub(crate) fn read(&mut self) -> Value {
        let read = std::mem::replace(self, Self::new());
        json!({
            "requests": read.requests, "bytes": read.bytes, "first_ms": read.first_ms,
            "read_units": read.read_units, "write_units": read.write_units,
        })
    }

    pub(crate) fn request(&mut self, kind: &str) {
        *self.requests.entry(kind.to_owned()).or_default() += 1;
    }

    /// Counts bytes of a body.
    pub(crate) fn sent(&mut self, kind: &str, bytes: usize) {
        self.bytes += bytes as u64;
        let since = self.since;
        self.first_ms.entry(kind.to_owned()).or_insert_with(|| since.elapsed().as_millis());
    }

    /// Counts what a request to DynamoDB consumed.
    pub(crate) fn consumed(&mut self, units: Units) {
        self.read_units += units.read;
        self.write_units += units.write;
    }
}

/// A request's kind, of those that registries are asked.
pub(crate) fn of_registry(method: &Method, path: &str) -> String {
    let parts = ["/manifests/", "/blobs/", "/tags/", "/referrers/"];
    let part = parts.into_iter().find(|part| path.starts_with("/v2/") && path.contains(part));
    let other = if path.starts_with("/v2/") { "v2" } else { "elsewhere" };
    format!("{method} {}", part.map_or(other, |part| part.trim_matches('/')))
}

/// A request's kind, of those that AWS is asked: of S3 or of another service.
pub(crate) fn of_aws(method: &Method, headers: &HeaderMap, path: &str) -> String {
    if let Some(target) = headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
        return target.replace("DynamoDB_20120810.", DYNAMODB);
    }
    if path.starts_with("/20") {
        return "Lambda".to_owned();
    }
    if path.starts_with("/schedule") {
        return "Scheduler".to_owned();
    }
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let has = |name: &str| query.split('&').any(|pair| pair == name || pair.starts_with(&format!("{name}=")));
    let what = match method.as_str() {
        "PUT" if headers.contains_key("x-amz-copy-source") => "COPY",
        "PUT" if has("partNumber") => "PUT part",
        "POST" if has("uploads") => "POST upload",
        "POST" if has("uploadId") => "POST complete",
        "GET" if has("list-type") || has("uploads") || has("uploadId") || has("prefix") => "LIST",
        method => method,
    };
    format!("{S3}{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_kinds() {
        let aws = |method: Method, path: &str| of_aws(&method, &HeaderMap::new(), path);
        assert_eq!(aws(Method::GET, "/bucket/docker/registry/v2/blobs/sha256/ab/data"), "S3 GET");
        assert_eq!(aws(Method::GET, "/bucket?list-type=2&prefix=x"), "S3 LIST");
        assert_eq!(aws(Method::PUT, "/bucket/key?partNumber=1&uploadId=2"), "S3 PUT part");
        assert_eq!(aws(Method::POST, "/2015-03-31/functions/moorage-sync/invocations"), "Lambda");
        assert_eq!(of_registry(&Method::HEAD, "/v2/a/b/manifests/v1"), "HEAD manifests");
        assert_eq!(of_registry(&Method::GET, "/v2/"), "GET v2");
        assert_eq!(of_registry(&Method::GET, "/api/v1/repository"), "GET elsewhere");
    }
}
