//! The one layer under every request: authentication, retries, limits, counters.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use oci_client::errors::OciEnvelope;
use reqwest::{
    Method, Response, StatusCode,
    header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::{
    Meter, UpstreamError,
    auth::Auth,
    error::transport_error,
    rate_limit,
    retry::{self, Backoff},
    settings::Limits,
    transport::{Request, Transport, display},
};

/// The longest exchange that is no blob, its body included.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(60);
/// What is read of an error's body to find the registry's code.
const MAX_ERROR_BODY: usize = 16 * 1024;

/// Requests with retries, but without authentication: what token servers get.
#[derive(Debug)]
pub(crate) struct Http {
    transport: Transport,
    limits: Limits,
    meter: Meter,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The failure that an unsuccessful answer stands for.
    pub(crate) fn into_error(self, url: &Url) -> UpstreamError {
        let what = display(url);
        if let Some(until) = rate_limit::refusal(self.status, &self.headers) {
            return UpstreamError::RateLimited { until };
        }
        match self.status.as_u16() {
            401 => UpstreamError::Auth(format!("{what} refused the credentials")),
            403 => UpstreamError::Auth(format!("{what} denied access")),
            404 => UpstreamError::NotFound(what),
            status => {
                let envelope: Option<OciEnvelope> = serde_json::from_slice(&self.body).ok();
                let code = envelope.and_then(|envelope| Some(format!("{:?}", envelope.errors.first()?.code)));
                UpstreamError::Status { status, url: what, code }
            }
        }
    }
}

impl Http {
    pub(crate) fn new(transport: Transport, limits: Limits, meter: Meter) -> Self {
        Self { transport, limits, meter }
    }

    /// Sends a request until it is answered with something lasting, and reads the body whole, up to `limit` bytes.
    pub(crate) async fn fetch(&self, request: &Request, limit: usize, what: &str) -> Result<Answer, UpstreamError> {
        self.retrying(|| async {
            let exchange = async {
                let response = self.transport.send(request).await?;
                self.whole(response, limit, what).await
            };
            let timeout = |_| UpstreamError::Timeout(display(&request.url));
            let answer = tokio::time::timeout(EXCHANGE_TIMEOUT, exchange).await.map_err(timeout)??;
            Ok((answer.status, answer.headers.clone(), answer))
        })
        .await
    }

    /// Sends a request once, to learn whether there is an answer at all.
    pub(crate) async fn fetch_once(&self, request: &Request, limit: usize) -> Result<(), UpstreamError> {
        self.meter.pass(self.limits.max_wait).await?;
        self.meter.request();
        let timeout = |_| UpstreamError::Timeout(display(&request.url));
        let exchange = async { self.whole(self.transport.send(request).await?, limit, "an answer").await };
        tokio::time::timeout(EXCHANGE_TIMEOUT, exchange).await.map_err(timeout)?.map(|_| ())
    }

    /// Sends a request until it is answered with something lasting; the body is left to be streamed.
    async fn open(&self, request: &Request) -> Result<Response, UpstreamError> {
        self.retrying(|| async {
            let response = self.transport.send(request).await?;
            Ok((response.status(), response.headers().clone(), response))
        })
        .await
    }

    async fn retrying<T, F>(&self, exchange: impl Fn() -> F) -> Result<T, UpstreamError>
    where
        F: Future<Output = Result<(StatusCode, HeaderMap, T), UpstreamError>>,
    {
        let mut backoff = Backoff::new();
        self.meter.pass(self.limits.max_wait).await?;
        self.meter.request();
        for _ in 1..self.limits.attempts {
            let result = exchange().await;
            match &result {
                Ok((status, headers, _)) => {
                    self.meter.observe(headers);
                    if !retry::is_transient(*status) {
                        return result.map(|(.., answer)| answer);
                    }
                    // Whoever else is about to ask waits, too.
                    let told = headers.contains_key(RETRY_AFTER);
                    if let Some(until) = rate_limit::refusal(*status, headers).filter(|_| told) {
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
        let (status, headers, answer) = exchange().await?;
        self.meter.observe(&headers);
        if let Some(until) = rate_limit::refusal(status, &headers) {
            self.meter.block(until);
        }
        Ok(answer)
    }

    /// Reads a body, at most `limit` bytes of it; of an error's body no more than finding its code takes.
    async fn whole(&self, mut response: Response, limit: usize, what: &str) -> Result<Answer, UpstreamError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let url = display(response.url());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport_error(&error, &url))? {
            self.meter.read(chunk.len());
            if !status.is_success() && body.len() + chunk.len() > MAX_ERROR_BODY {
                break;
            }
            if body.len() + chunk.len() > limit {
                return Err(UpstreamError::TooLarge { what: what.to_owned(), limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.into() })
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
    pub(crate) response: Response,
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

    /// A whole answer, successful or not. Being refused once is part of logging in; being refused twice is final.
    pub(crate) async fn fetch(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        limit: usize,
        what: &str,
    ) -> Result<Answer, UpstreamError> {
        let _place = self.places.acquire().await;
        let mut request = Self::request(method, url, headers);
        let used = self.authorize(&mut request).await?;
        let answer = self.http.fetch(&request, limit, what).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.auth.challenged(&used, &answer.headers, &self.http).await?;
        self.authorize(&mut request).await?;
        self.http.fetch(&request, limit, what).await
    }

    /// An answer whose body is streamed, successful or not.
    pub(crate) async fn open(&self, url: &Url, headers: HeaderMap) -> Result<Streaming, UpstreamError> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let mut request = Self::request(Method::GET, url, headers);
        let used = self.authorize(&mut request).await?;
        let mut response = self.http.open(&request).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.auth.challenged(&used, response.headers(), &self.http).await?;
            self.authorize(&mut request).await?;
            response = self.http.open(&request).await?;
        }
        if response.status().is_success() {
            return Ok(Streaming { response, _place: place });
        }
        Err(self.http.whole(response, MAX_ERROR_BODY, "an error").await?.into_error(url))
    }

    fn request(method: Method, url: &Url, mut headers: HeaderMap) -> Request {
        // An encoded body would match neither its digest nor its length.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Request { method, url: url.clone(), headers, body: None }
    }

    async fn authorize(&self, request: &mut Request) -> Result<crate::auth::Authorization, UpstreamError> {
        let authorization = self.auth.authorization(&self.http).await?;
        if let Some(header) = &authorization.header {
            request.headers.insert(AUTHORIZATION, header.clone());
        }
        Ok(authorization)
    }
}
