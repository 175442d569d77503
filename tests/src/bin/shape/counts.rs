//! What passed through: requests by kind, bytes, when each kind first brought any, and what DynamoDB would charge.

use std::{collections::BTreeMap, time::Instant};

use hyper::{HeaderMap, Method};
use serde_json::{Value, json};

use crate::units::Units;

/// What the kinds of requests to DynamoDB begin with.
pub(crate) const DYNAMODB: &str = "DynamoDB ";

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

/// A request's kind: of a registry, of S3, or of another service of AWS.
pub(crate) fn kind(method: &Method, headers: &HeaderMap, path: &str) -> String {
    if let Some(target) = headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
        return target.replace("DynamoDB_20120810.", DYNAMODB);
    }
    let registry = ["/manifests/", "/blobs/", "/tags/", "/referrers/"].into_iter().find(|kind| path.contains(kind));
    if path.starts_with("/v2/") {
        return format!("{method} {}", registry.unwrap_or("/v2/").trim_matches('/'));
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
    format!("S3 {what}")
}
