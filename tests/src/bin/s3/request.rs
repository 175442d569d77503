//! A request as it came, in parts that are easy to ask for.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, Method, body::Incoming};

use crate::{body::unchunked, object::Checksum};

/// Up to how many bytes a body is copied: what is read shares memory with what was read before and after it, which is to go.
const COPIED: usize = 64 * 1024;

/// What S3's own headers for checksums begin with.
const CHECKSUM: &str = "x-amz-checksum-";

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<Bytes>,
    /// What the client says of the body.
    pub(crate) checksum: Option<Checksum>,
}

impl Request {
    pub(crate) async fn read(request: hyper::Request<Incoming>) -> Result<Self, hyper::Error> {
        let (head, body) = request.into_parts();
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let path = decoded(path);
        let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let query = pairs.map(|(name, value)| (name.to_owned(), decoded(&value.replace('+', " ")))).collect();
        let body = pieces(body).await?;
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_chunked = header("content-encoding").contains("aws-chunked")
            || header("x-amz-content-sha256").starts_with("STREAMING-");
        let (body, trailers) = if is_chunked { unchunked(body.concat().into()) } else { (body, Vec::new()) };
        let trailers = trailers.iter().filter_map(|line| line.split_once(':'));
        let sent = head.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let mut checksums = sent.chain(trailers).filter_map(|(name, value)| {
            let algorithm =
                name.strip_prefix(CHECKSUM).filter(|what| !matches!(*what, "mode" | "algorithm" | "type"))?;
            Some(Checksum { algorithm: algorithm.to_owned(), value: value.trim().to_owned() })
        });
        let checksum = checksums.next();
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        Ok(Self { method: head.method.clone(), bucket, key, query, headers: head.headers, body, checksum })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.query.contains_key(name)
    }

    /// A parameter, or nothing.
    pub(crate) fn asked(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// The object that a copy is made of: its bucket and its key.
    pub(crate) fn source(&self) -> Option<(String, String)> {
        let source = decoded(self.header("x-amz-copy-source")?);
        let (bucket, key) = source.trim_start_matches('/').split_once('/')?;
        Some((bucket.to_owned(), key.to_owned()))
    }
}

/// A body as it came.
async fn pieces(mut body: Incoming) -> Result<Vec<Bytes>, hyper::Error> {
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        pieces.extend(frame?.into_data());
    }
    let is_small = pieces.iter().map(Bytes::len).sum::<usize>() <= COPIED;
    Ok(if is_small { vec![pieces.concat().into()] } else { pieces })
}

/// Takes percent-encoding away.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        let code = code.and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_are_taken_away_where_they_mean_something() {
        assert_eq!(decoded("sha256%3Aab%2Fc%zz%"), "sha256:ab/c%zz%");
    }
}
