//! What an answer is made of, and what of it counts: its head, by whose it is; its body, within the memory of a run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use oci_client::errors::OciEnvelope;
use reqwest::{
    StatusCode, Version,
    header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, LINK},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::{UpstreamError, address::display, rate_limit, tls, transport::Received};

/// What is read of an error's body to find the registry's code.
pub(crate) const MAX_ERROR_BODY: usize = 16 * 1024;
/// A document that is larger waits for the one place that large ones have: as many small ones as there are requests fit
/// the run's memory, but not as many of the largest.
pub(crate) const SMALL: usize = 128 * 1024;
/// The longest wait for that place. Whoever has it writes to the bucket, and waits for nobody.
const LANE_PATIENCE: Duration = Duration::from_secs(120);
/// How much is kept of what a registry says of an error, in characters: it is some hundred bytes that are kept of a failure.
const MAX_SAID: usize = 160;
/// What another host than the registry may say: how much it sends. That there is a `Link` is looked at, too, so that a
/// list that goes on is not taken for its end.
const FOREIGN: [reqwest::header::HeaderName; 3] = [CONTENT_LENGTH, CONTENT_RANGE, LINK];

/// The beginning of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    /// Of another host only what may be read of its answers.
    pub(crate) headers: HeaderMap,
    /// Whether it is the word of the server that was asked, and not of one that it redirects to.
    pub(crate) is_own: bool,
    /// Who answered.
    pub(crate) url: Url,
}

impl Head {
    pub(crate) fn of(received: &Received) -> Self {
        let (status, is_own) = (received.response.status(), received.is_own);
        let headers = received.response.headers();
        let headers = if is_own {
            headers.clone()
        } else {
            let kept = headers.iter().filter(|(name, _)| FOREIGN.contains(name));
            kept.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        Self { status, headers, is_own, url: received.response.url().clone() }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
    /// What the registry says of an error, in one line and without secrets; nothing where whoever asked did not look.
    pub(crate) said: Option<String>,
}

impl Answer {
    /// The failure that an unsuccessful answer stands for.
    pub(crate) fn into_error(self, url: &Url) -> UpstreamError {
        let (what, status) = (display(url), self.head.status);
        let at = display(&self.head.url);
        // That a page to log in at is missing, be it at the same host, does not mean that what was asked for is.
        if status == StatusCode::NOT_FOUND && at != what {
            return UpstreamError::NotFoundElsewhere { what: named(url), at };
        }
        if let Some(because) = tls::refusal(status.as_u16(), &self.body) {
            return UpstreamError::Tls { url: at, message: because.to_owned() };
        }
        if !self.head.is_own {
            return UpstreamError::Storage { status: status.as_u16(), url: at };
        }
        if let Some(until) = rate_limit::refusal(status, &self.head.headers) {
            return UpstreamError::RateLimited { until };
        }
        let said = self.said.map(|said| format!(": {said}")).unwrap_or_default();
        match status.as_u16() {
            401 => UpstreamError::Auth(format!("{what} refused the credentials{said}")),
            403 => UpstreamError::Auth(format!("{what} denied access{said}")),
            404 => UpstreamError::NotFound(named(url)),
            status => {
                let code = error_code(&self.body).map(|code| format!(" ({code})")).unwrap_or_default();
                UpstreamError::Status { status, url: what, said: code + &said }
            }
        }
    }

    /// As [`Self::into_error`], where a list of a repository's was asked for.
    pub(crate) fn into_list_error(self, url: &Url) -> UpstreamError {
        let is_unknown = self.head.is_own && self.head.status == StatusCode::NOT_FOUND;
        if is_unknown && names_no_repository(&self.body) {
            return UpstreamError::UnknownRepository(display(url));
        }
        self.into_error(url)
    }
}

/// Whether an error body says that there is no such repository: by the distribution-spec's code, or by Harbor's.
fn names_no_repository(body: &[u8]) -> bool {
    let body: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let errors = body.as_ref().and_then(|body| body.get("errors")?.as_array());
    let mut codes = errors.into_iter().flatten().filter_map(|error| error.get("code")?.as_str());
    codes.any(|code| ["NAME_UNKNOWN", "NOT_FOUND"].iter().any(|known| code.eq_ignore_ascii_case(known)))
}

/// What a URL of the registry's API is of, for people.
fn named(url: &Url) -> String {
    let path = url.path();
    let kinds = [
        ("/manifests/sha256:", "the manifest"),
        ("/manifests/sha512:", "the manifest"),
        ("/manifests/", "the tag's manifest"),
        ("/blobs/", "the blob"),
        ("/referrers/", "the list of referrers"),
        ("/tags/list", "the repository's list of tags"),
    ];
    let kind = kinds.iter().find(|(part, _)| path.contains(part)).map_or("", |(_, kind)| kind);
    format!("{kind} {}", display(url)).trim_start().to_owned()
}

/// The first code of an error body (distribution-spec v1.1.1, "Error Codes").
pub(crate) fn error_code(body: &[u8]) -> Option<String> {
    let envelope: OciEnvelope = serde_json::from_slice(body).ok()?;
    let code = serde_json::to_value(&envelope.errors.first()?.code).ok()?;
    code.as_str().map(str::to_owned)
}

/// The first message of an error body, without `secrets`, in one line and not long. It is the registry's text: what it was
/// sent may be in it.
pub(crate) fn error_message<'s>(body: &[u8], secrets: impl IntoIterator<Item = &'s str>) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let mut message = body.get("errors")?.get(0)?.get("message")?.as_str()?.to_owned();
    for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
        message = message.replace(secret, "…");
    }
    let line = message.replace(char::is_control, " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(MAX_SAID).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    Some(short).filter(|short| !short.is_empty())
}

/// A body as it comes. It takes as much memory as has come, at most twice as much while it grows; more than [`SMALL`]
/// only while it has the place that large documents share.
pub(crate) struct Body {
    bytes: Vec<u8>,
    lane: Arc<Semaphore>,
    place: Option<OwnedSemaphorePermit>,
    /// Whether it comes on a connection that others share.
    is_stream: bool,
}

/// A large document and its place, which the next one gets when this one's bytes are dropped.
struct Large {
    bytes: Vec<u8>,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Body {
    /// One that comes by this version of HTTP.
    pub(crate) fn new(lane: Arc<Semaphore>, version: Version) -> Self {
        Self { bytes: Vec::new(), lane, place: None, is_stream: version == Version::HTTP_2 }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds what has come, as soon as there is room for it. A stream of HTTP/2 does not wait for that: what it sends ahead
    /// would be in memory, and in the way of others. It has to come again, on a connection of its own.
    pub(crate) async fn push(&mut self, chunk: &[u8], deadline: &mut Deadline) -> Result<(), UpstreamError> {
        if self.len().saturating_add(chunk.len()) > SMALL && self.place.is_none() {
            let lane = Arc::clone(&self.lane);
            self.place = if self.is_stream {
                Some(lane.try_acquire_owned().map_err(|_| deadline.in_the_way())?)
            } else {
                deadline.aside(lane.acquire_owned()).await?.ok()
            };
        }
        if self.bytes.capacity() - self.len() < chunk.len() {
            self.bytes.reserve_exact(chunk.len().max(self.len()));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self.place {
            Some(place) => Bytes::from_owner(Large { bytes: self.bytes, _place: place }),
            None => self.bytes.into(),
        }
    }
}

/// When an exchange has taken too long.
#[derive(Debug)]
pub(crate) struct Deadline {
    at: Instant,
    url: String,
}

impl Deadline {
    pub(crate) fn new(after: Duration, url: &Url) -> Self {
        let now = Instant::now();
        Self { at: now.checked_add(after).unwrap_or(now), url: display(url) }
    }

    /// Waits for the other side.
    pub(crate) async fn bound<T>(&mut self, work: impl Future<Output = T>) -> Result<T, UpstreamError> {
        let late = |_| UpstreamError::Timeout(self.url.clone());
        tokio::time::timeout_at(self.at.into(), work).await.map_err(late)
    }

    /// That an answer does not go on on the connection that it came by.
    fn in_the_way(&self) -> UpstreamError {
        UpstreamError::Connection { url: self.url.clone(), message: "it is needed for other answers".to_owned() }
    }

    /// Waits for our own side: that time does not count.
    async fn aside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, UpstreamError> {
        let begun = Instant::now();
        let done = tokio::time::timeout(LANE_PATIENCE, work).await;
        self.at = self.at.checked_add(begun.elapsed()).unwrap_or(self.at);
        done.map_err(|_| UpstreamError::Timeout(self.url.clone()))
    }
}
