//! Answers.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, LOCATION, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS},
};
use moorage_domain::{ExposeSecret as _, RepositoryName, SecretString};
use serde_json::Value;

/// How long, in seconds, a browser that has been here speaks https only: two years, what browsers' own lists ask for.
/// Over plain http, as on a local stack, browsers pay no heed to it.
const TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");
/// A body is what its media type says, and nothing else.
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
/// The API's version, as `docker` expects it.
const VERSION: HeaderValue = HeaderValue::from_static("registry/2.0");
/// What may hold a token, or depends on who asks.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// By which docker tells registries of this version from older ones.
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
/// The digest of what is answered.
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// The registry for which the answer is given (the distribution-spec's proxying).
pub(crate) const NAMESPACE: HeaderName = HeaderName::from_static("oci-namespace");
/// Where the challenge travels through API Gateway.
pub(crate) const REGISTRY_CHALLENGE: HeaderName = HeaderName::from_static("x-registry-challenge");

/// What a request comes to. The answer to `HEAD` has the body of the one to `GET`: whoever sends it drops the body, and
/// knows its length.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    repository: Option<RepositoryName>,
}

impl Answer {
    /// An answer without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), repository: None }
    }

    /// JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::empty(status).with(CONTENT_TYPE, "application/json").body(body.to_string().into())
    }

    /// A redirect to a URL that nobody else may see or keep.
    pub(crate) fn redirect(url: &SecretString) -> Self {
        let mut answer = Self::empty(307).with(CONTENT_TYPE, "application/octet-stream");
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

    /// Of a repository, which the log names.
    #[must_use]
    pub(crate) fn of(self, repository: &RepositoryName) -> Self {
        Self { repository: Some(repository.clone()), ..self }
    }

    /// The repository that it is of, if it is of one.
    pub(crate) fn repository(&self) -> Option<&RepositoryName> {
        self.repository.as_ref()
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(self.body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let is_content = response.status().is_success();
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(API_VERSION, VERSION);
        headers.insert(STRICT_TRANSPORT_SECURITY, TRANSPORT);
        headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
        if !is_content {
            // Redirects lend a right for minutes, and failures are about who asks: neither is for anybody else.
            headers.insert(CACHE_CONTROL, NO_STORE);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_answer_has_the_headers_that_protect_it() {
        let token = Answer::json(200, &json!({"token": "x"})).with(CACHE_CONTROL, "no-store");
        let unsendable = Answer::empty(200).with(LOCATION, "line\nbreak");
        let redirect = Answer::redirect(&"https://h/x?X-Amz-Signature=y".into());
        let all = [(Answer::json(200, &json!({})), None), (Answer::empty(404), Some("no-store")), (unsendable, None)];
        for (answer, cache) in all.into_iter().chain([(token, Some("no-store")), (redirect, Some("no-store"))]) {
            let response = answer.into_response();
            let header = |name| response.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap());
            assert_eq!(header(X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
            assert_eq!(header(STRICT_TRANSPORT_SECURITY), Some("max-age=63072000; includeSubDomains"));
            assert_eq!(header(API_VERSION), Some("registry/2.0"));
            assert_eq!(header(CACHE_CONTROL), cache);
            assert_eq!(response.headers().len(), response.headers().keys().count(), "no header comes twice");
        }
    }
}
