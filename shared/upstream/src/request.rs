//! Requests to the registry itself: who asks, and how many at a time.

use reqwest::{
    Method,
    header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue},
};
use url::Url;

use crate::{
    Meter, UpstreamError,
    address::display,
    answer::{Answer, Head, MAX_ERROR_BODY},
    auth::{Auth, Authorization, Login},
    challenge::Challenge,
    error::{Unread, transport_error},
    http::{How, Http},
    places::{Load, Place, Places},
    retry::Backoff,
    transport::{Received, Recipient, Request},
};

/// Requests to the registry itself: authenticated, and some at a time.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) http: Http,
    auth: Auth,
    places: Places,
}

/// A body to be streamed. Its place among the registry's requests is taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Streaming {
    pub(crate) head: Head,
    pub(crate) response: reqwest::Response,
    pub(crate) place: Place,
}

impl Requests {
    pub(crate) fn new(http: Http, auth: Auth) -> Self {
        let places = Places::new(http.limits.concurrent_requests, http.meter.clone());
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
    pub(crate) async fn fetch_so(
        &self,
        (method, url, headers): (Method, &Url, HeaderMap),
        how: How,
        limit: (usize, &str),
    ) -> Result<Answer, UpstreamError> {
        let load = if method == Method::HEAD { Load::Head } else { Load::Body };
        let mut place = self.places.take(load, how.alone).await;
        let (mut request, mut login) = (Self::request(method, url, headers), Login::default());
        let answer = loop {
            login.used = self.authorize(&mut request).await?;
            let answer = self.http.fetch_at(Some(&mut place), &request, how, limit).await?;
            if !self.auth.logs_in(&mut login, url, &answer.head, &self.http).await? {
                break answer;
            }
        };
        self.judge(&answer.head, how).await?;
        Ok(self.heard(answer).await)
    }

    /// What the registry answers to one request by HEAD, if it is a success. Who is asked to log in does not.
    pub(crate) async fn glance(&self, url: &Url, headers: HeaderMap) -> Option<Answer> {
        let (how, limit) = (How::trial(1), (MAX_ERROR_BODY, "an answer"));
        let mut place = self.places.take(Load::Head, how.alone).await;
        let mut request = Self::request(Method::HEAD, url, headers);
        self.authorize(&mut request).await.ok()?;
        let answer = self.http.fetch_at(Some(&mut place), &request, how, limit).await.ok()?;
        Some(answer).filter(|answer| answer.head.status.is_success())
    }

    /// An answer, successful or not, whose body is streamed.
    pub(crate) async fn stream(&self, url: &Url, headers: HeaderMap, how: How) -> Result<Streaming, UpstreamError> {
        let mut place = self.places.take(Load::Body, how.alone).await;
        let (mut request, mut login) = (Self::request(Method::GET, url, headers), Login::default());
        let (received, head) = loop {
            login.used = self.authorize(&mut request).await?;
            let received = self.http.open(&mut place, &request, how).await?;
            let head = Head::of(&received);
            if !self.auth.logs_in(&mut login, url, &head, &self.http).await? {
                break (received, head);
            }
        };
        self.judge(&head, how).await?;
        Ok(Streaming { head, response: received.response, place })
    }

    /// An answer that is not successful, with as much of its body as says why.
    pub(crate) async fn refusal(&self, stream: Streaming) -> Answer {
        let Streaming { head, response, place: _place } = stream;
        let (mut deadline, is_own) = (self.http.deadline(response.url()), head.is_own);
        let whole = self.http.whole(Received { response, is_own }, MAX_ERROR_BODY, "an error", &mut deadline);
        // Its status alone says most of it.
        let nothing = Answer { head, body: bytes::Bytes::new(), said: None };
        self.heard(Box::pin(whole).await.unwrap_or(nothing)).await
    }

    /// With what the registry says of its refusal, if it is one.
    async fn heard(&self, answer: Answer) -> Answer {
        if answer.head.status.is_success() || !answer.head.is_own {
            return answer;
        }
        Answer { said: self.auth.said(&answer.body).await, ..answer }
    }

    /// Streams a list of at most `limit` bytes into what `begin` makes; once more from the start where the connection
    /// breaks.
    pub(crate) async fn read<T>(
        &self,
        url: &Url,
        (limit, what): (usize, &str),
        begin: impl Fn() -> T,
        take: impl Fn(&mut T, &[u8]) -> Result<(), Unread>,
    ) -> Result<(Head, T), UpstreamError> {
        let (mut backoff, mut left) = (Backoff::new(), self.http.limits.tries);
        loop {
            let stream = self.stream(url, HeaderMap::new(), self.http.usual()).await?;
            if !stream.head.status.is_success() {
                return Err(self.refusal(stream).await.into_list_error(url));
            }
            let Streaming { head, mut response, place: _place } = stream;
            let (mut deadline, mut document, mut length) = (self.http.deadline(url), begin(), 0_usize);
            let broken = loop {
                let chunk = deadline.bound(response.chunk()).await;
                match chunk.and_then(|chunk| chunk.map_err(|error| transport_error(&error, &display(url)))) {
                    Ok(Some(chunk)) => {
                        self.meter().read(chunk.len());
                        length = length.saturating_add(chunk.len());
                        if length > limit {
                            return Err(UpstreamError::TooLarge { what: what.to_owned(), limit });
                        }
                        take(&mut document, &chunk).map_err(|unread| match unread {
                            Unread::NoList => UpstreamError::no_list(url, what),
                            Unread::Failed(error) => error,
                        })?;
                    }
                    Ok(None) => return Ok((head, document)),
                    Err(error) => {
                        self.http.transport.broke_off(&response);
                        break error;
                    }
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
    async fn judge(&self, head: &Head, how: How) -> Result<(), UpstreamError> {
        if !head.is_own || head.status.is_success() || how.is_trial() {
            return Ok(());
        }
        self.auth.explanation(head.status).await.map_or(Ok(()), Err)
    }
}
