//! Answers.

use bytes::Bytes;
use lambda_http::{
    Body, Response,
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, LOCATION},
    },
};
use moorage_domain::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// By which docker tells registries of this version from older ones.
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
/// The digest of what is answered.
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// Where the challenge travels through API Gateway.
pub(crate) const REGISTRY_CHALLENGE: HeaderName = HeaderName::from_static("x-registry-challenge");

/// What a request comes to. The answer to `HEAD` has the body of the one to `GET`: whoever sends it drops the body, and
/// knows its length.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Answer {
    /// An answer without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::empty(status).with(CONTENT_TYPE, "application/json").body(body.to_string().into())
    }

    /// A redirect to a URL that nobody else may see or keep.
    pub(crate) fn redirect(url: &SecretString) -> Self {
        let mut answer =
            Self::empty(307).with(CACHE_CONTROL, "no-store").with(CONTENT_TYPE, "application/octet-stream");
        if let Ok(mut location) = HeaderValue::from_str(url.expose_secret()) {
            location.set_sensitive(true);
            answer.headers.push((LOCATION, location));
        }
        answer
    }

    /// With a body.
    #[must_use]
    pub(crate) fn body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    /// With a header; one that cannot be sent is left out.
    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let body = match String::from_utf8(self.body.into()) {
            Ok(text) if text.is_empty() => Body::Empty,
            Ok(text) => Body::Text(text),
            Err(error) => Body::Binary(error.into_bytes()),
        };
        let response = Response::builder().status(self.status).header(API_VERSION, "registry/2.0");
        let response = response.header("x-content-type-options", "nosniff");
        let response = self.headers.into_iter().fold(response, |response, (name, value)| response.header(name, value));
        response.body(body).unwrap_or_default()
    }
}
