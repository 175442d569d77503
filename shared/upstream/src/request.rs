//! The one layer under every request: authentication, retries, limits, counters.

use std::{sync::Arc, time::Duration};

use reqwest::{
    Method,
    header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::{
    Meter, UpstreamError,
    answer::{Answer, Body, Deadline, Head, MAX_ERROR_BODY},
    auth::{Auth, Authorization, Login},
    challenge::Challenge,
    error::transport_error,
    rate_limit,
    retry::{self, Backoff},
    settings::Limits,
    transport::{Received, Recipient, Request, Transport, display},
};

/// The longest exchange that is no blob, its body included.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Requests with retries, but without authentication: what token servers get.
#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) transport: Transport,
    pub(crate) limits: Limits,
    meter: Meter,
    /// Large documents are read one at a time, and held one at a time.
    lane: Arc<Semaphore>,
}

impl Http {
    pub(crate) fn new(transport: Transport, limits: Limits, meter: Meter) -> Self {
        Self { transport, limits, meter, lane: Arc::new(Semaphore::new(1)) }
    }

    /// Sends a request until it is answered with something lasting, and reads the body whole, up to `limit` bytes.
    pub(crate) async fn fetch(&self, request: &Request, limit: usize, what: &str) -> Result<Answer, UpstreamError> {
        self.retrying(request.to, || async {
            let mut deadline = Deadline::new(EXCHANGE_TIMEOUT, &request.url);
            let received = deadline.bound(self.transport.send(request)).await??;
            let answer = self.whole(received, limit, what, &mut deadline).await?;
            Ok((answer.head.clone(), answer))
        })
        .await
    }

    /// Sends a request once, to learn whether there is an answer at all, and which.
    pub(crate) async fn fetch_once(&self, request: &Request, limit: usize) -> Result<Answer, UpstreamError> {
        self.meter.pass(self.limits.max_wait).await?;
        self.meter.request();
        let mut deadline = Deadline::new(EXCHANGE_TIMEOUT, &request.url);
        let received = deadline.bound(self.transport.send(request)).await??;
        self.whole(received, limit, "an answer", &mut deadline).await
    }

    /// Sends a request until it is answered with something lasting; the body is left to be streamed.
    async fn open(&self, request: &Request) -> Result<Received, UpstreamError> {
        self.retrying(request.to, || async {
            let received = self.transport.send(request).await?;
            Ok((Head::of(&received), received))
        })
        .await
    }

    async fn retrying<T, F>(&self, to: Recipient, exchange: impl Fn() -> F) -> Result<T, UpstreamError>
    where
        F: Future<Output = Result<(Head, T), UpstreamError>>,
    {
        // What other servers say of limits is not the registry's.
        let counts = |head: &Head| head.is_own && to != Recipient::TokenServer { is_registry: false };
        let mut backoff = Backoff::new();
        self.meter.pass(self.limits.max_wait).await?;
        self.meter.request();
        for _ in 1..self.limits.attempts {
            let result = exchange().await;
            match &result {
                Ok((head, _)) => {
                    if counts(head) {
                        self.meter.observe(head.status, &head.headers);
                    }
                    if !retry::is_transient(head.status) {
                        return result.map(|(.., answer)| answer);
                    }
                    // Whoever else is about to ask waits, too.
                    let told = counts(head) && head.headers.contains_key(RETRY_AFTER);
                    if let Some(until) = rate_limit::refusal(head.status, &head.headers).filter(|_| told) {
                        self.meter.block(until);
                    }
                }
                Err(error) if error.is_transient() => {}
                Err(_) => return result.map(|(.., answer)| answer),
            }
            let pause = backoff.next(&mut rand::rng());
            self.meter.pause(pause).await;
            self.meter.pass(self.limits.max_wait).await?;
            self.meter.retry();
        }
        let (head, answer) = exchange().await?;
        if counts(&head) {
            self.meter.observe(head.status, &head.headers);
            if let Some(until) = rate_limit::refusal(head.status, &head.headers) {
                self.meter.block(until);
            }
        }
        Ok(answer)
    }

    /// Reads a body, at most `limit` bytes of it; of an error's body no more than finding its code takes.
    async fn whole(
        &self,
        received: Received,
        limit: usize,
        what: &str,
        deadline: &mut Deadline,
    ) -> Result<Answer, UpstreamError> {
        let head = Head::of(&received);
        let (mut response, mut body) = (received.response, Body::new(Arc::clone(&self.lane)));
        let is_error = !head.status.is_success();
        let limit = if is_error { MAX_ERROR_BODY } else { limit };
        let url = display(response.url());
        while let Some(chunk) =
            deadline.bound(response.chunk()).await?.map_err(|error| transport_error(&error, &url))?
        {
            self.meter.read(chunk.len());
            if body.len().saturating_add(chunk.len()) <= limit {
                body.push(&chunk, deadline).await?;
            } else if is_error {
                break;
            } else {
                return Err(UpstreamError::TooLarge { what: what.to_owned(), limit });
            }
        }
        Ok(Answer { head, body: body.into_bytes() })
    }
}

/// Requests to the registry itself: authenticated, and some at a time.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) http: Http,
    auth: Auth,
    places: Arc<Semaphore>,
}

/// A body to be streamed. Its place among the registry's requests is taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Streaming {
    pub(crate) head: Head,
    pub(crate) response: reqwest::Response,
    _place: Option<OwnedSemaphorePermit>,
}

impl Requests {
    pub(crate) fn new(http: Http, auth: Auth) -> Self {
        let places = Arc::new(Semaphore::new(http.limits.concurrent_requests));
        Self { http, auth, places }
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.http.meter
    }

    /// The challenge that was answered last, if the registry made one.
    pub(crate) async fn challenge(&self) -> Option<Challenge> {
        self.auth.challenge().await
    }

    /// A whole answer, successful or not. Being refused is part of logging in.
    pub(crate) async fn fetch(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        limit: usize,
        what: &str,
    ) -> Result<Answer, UpstreamError> {
        let _place = self.places.acquire().await;
        let (mut request, mut login) = (Self::request(method, url, headers), Login::default());
        let answer = loop {
            login.used = self.authorize(&mut request).await?;
            let answer = self.http.fetch(&request, limit, what).await?;
            if !self.auth.logs_in(&mut login, url, &answer.head, &self.http).await? {
                break answer;
            }
        };
        self.judge(&answer.head).await?;
        Ok(answer)
    }

    /// An answer whose body is streamed. One that is not successful is a failure.
    pub(crate) async fn open(&self, url: &Url, headers: HeaderMap) -> Result<Streaming, UpstreamError> {
        self.begin(url, headers).await?.map_err(|answer| answer.into_error(url))
    }

    async fn begin(&self, url: &Url, headers: HeaderMap) -> Result<Result<Streaming, Answer>, UpstreamError> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (mut request, mut login) = (Self::request(Method::GET, url, headers), Login::default());
        let (received, head) = loop {
            login.used = self.authorize(&mut request).await?;
            let received = self.http.open(&request).await?;
            let head = Head::of(&received);
            if !self.auth.logs_in(&mut login, url, &head, &self.http).await? {
                break (received, head);
            }
        };
        self.judge(&head).await?;
        if head.status.is_success() {
            return Ok(Ok(Streaming { head, response: received.response, _place: place }));
        }
        let mut deadline = Deadline::new(EXCHANGE_TIMEOUT, url);
        Ok(Err(Box::pin(self.http.whole(received, MAX_ERROR_BODY, "an error", &mut deadline)).await?))
    }

    /// Streams a document of at most `limit` bytes into what `begin` makes; once more from the start where the
    /// connection breaks.
    pub(crate) async fn read<T>(
        &self,
        url: &Url,
        (limit, what): (usize, &str),
        begin: impl Fn() -> T,
        take: impl Fn(&mut T, &[u8]) -> Result<(), UpstreamError>,
    ) -> Result<(Head, T), UpstreamError> {
        let (mut backoff, mut left) = (Backoff::new(), self.http.limits.attempts);
        loop {
            let begun = self.begin(url, HeaderMap::new()).await?;
            let Streaming { head, mut response, _place } = begun.map_err(|answer| answer.into_list_error(url))?;
            let (mut deadline, mut document, mut length) = (Deadline::new(EXCHANGE_TIMEOUT, url), begin(), 0_usize);
            let broken = loop {
                let chunk = deadline.bound(response.chunk()).await;
                match chunk.and_then(|chunk| chunk.map_err(|error| transport_error(&error, &display(url)))) {
                    Ok(Some(chunk)) => {
                        self.meter().read(chunk.len());
                        length = length.saturating_add(chunk.len());
                        if length > limit {
                            return Err(UpstreamError::TooLarge { what: what.to_owned(), limit });
                        }
                        take(&mut document, &chunk)?;
                    }
                    Ok(None) => return Ok((head, document)),
                    Err(error) => break error,
                }
            };
            left = left.saturating_sub(1);
            if left == 0 || !broken.is_transient() {
                return Err(broken);
            }
            self.meter().pause(backoff.next(&mut rand::rng())).await;
        }
    }

    fn request(method: Method, url: &Url, mut headers: HeaderMap) -> Request {
        // An encoded body would match neither its digest nor its length.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Request { method, url: url.clone(), headers, body: None, to: Recipient::Registry }
    }

    async fn authorize(&self, request: &mut Request) -> Result<Authorization, UpstreamError> {
        let authorization = self.auth.authorization(&self.http).await?;
        if let Some(header) = &authorization.header {
            request.headers.insert(AUTHORIZATION, header.clone());
        }
        Ok(authorization)
    }

    /// Explains a refusal by the credentials that were not sent, or of no use.
    async fn judge(&self, head: &Head) -> Result<(), UpstreamError> {
        if !head.is_own || head.status.is_success() {
            return Ok(());
        }
        self.auth.explanation(head.status).await.map_or(Ok(()), Err)
    }
}
