//! The same content as an external registry has it: its tags, and its manifests.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use serde_json::json;

use crate::bucket::{Bucket, MANIFEST};

/// Tags of a page, unless fewer are asked for.
const PAGE: usize = 10_000;

/// Answers what is asked below `/v2/`.
pub(crate) fn answer(bucket: &Bucket, path: &str, query: &BTreeMap<String, String>) -> Response<Full<Bytes>> {
    let json = |status: u16, body: String| {
        Response::builder().status(status).header("content-type", "application/json").body(Full::new(body.into()))
    };
    let answer = if path == "/v2/" {
        json(200, "{}".to_owned())
    } else if let Some(name) = path.strip_prefix("/v2/").and_then(|rest| rest.strip_suffix("/tags/list")) {
        let asked = query.get("n").and_then(|n| n.parse().ok()).unwrap_or(PAGE);
        let tags = bucket.tags(name, query.get("last").map_or("", String::as_str), asked.min(PAGE));
        let more = tags.last().filter(|_| tags.len() == asked.min(PAGE));
        let next = more.map(|last| format!("</v2/{name}/tags/list?n={asked}&last={last}>; rel=\"next\""));
        json(200, json!({"name": name, "tags": tags}).to_string()).map(|mut answer| {
            answer.headers_mut().extend(next.map(|next| (hyper::header::LINK, next.parse().unwrap())));
            answer
        })
    } else if let Some((digest, bytes)) = path.strip_prefix("/v2/").and_then(|rest| {
        let (name, reference) = rest.split_once("/manifests/")?;
        bucket.manifest(name, reference)
    }) {
        let answer = Response::builder().header("content-type", MANIFEST).header("docker-content-digest", digest);
        answer.body(Full::new(bytes))
    } else {
        json(404, json!({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "not here"}]}).to_string())
    };
    answer.unwrap()
}
