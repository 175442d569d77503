//! One request and its tries: retries, limits, counters.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use moorage_domain::{Fallback, rate_limit::LONGEST_WAIT};
use reqwest::{StatusCode, header::RETRY_AFTER};
use tokio::sync::Semaphore;
use url::Url;

use crate::{
    Meter, UpstreamError,
    address::display,
    answer::{Answer, Body, Deadline, Head, MAX_ERROR_BODY},
    connections::Line,
    error::transport_error,
    places::Place,
    rate_limit,
    retry::{self, Backoff},
    settings::Limits,
    transport::{Received, Recipient, Request, Transport},
    turns::Sent,
};

/// The longest that the body of an answer that is no blob may take, beyond the time that its first byte may.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often an answer is waited for in vain for as long as the mirror lets it take. More would not fit an invocation.
const MAX_SILENCES: u32 = 2;
/// How often one request is refused while others are answered before that counts as being tried in vain: with turns, a
/// few times. A registry that always refuses the same one must not keep a run for ever.
const MOST_REFUSALS: u32 = 32;
/// From so many tries on that failed while others were under way, a request is made alone.
const MAX_CROWDED: u32 = 2;

/// Requests with retries, but without authentication: what token servers get.
#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) transport: Transport,
    pub(crate) limits: Limits,
    pub(crate) meter: Meter,
    /// Large documents are read one at a time, and held one at a time.
    lane: Arc<Semaphore>,
}

/// How a request is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    /// How often at most.
    pub(crate) tries: u32,
    /// By which connection the first time.
    pub(crate) line: Line,
    /// Whether with no other under way.
    pub(crate) alone: bool,
    /// What a refusal means.
    pub(crate) need: Need,
}

/// How much an answer is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// There is no other way.
    Whole,
    /// A refusal is not the last word: there is another way to ask.
    Trial,
    /// It is the last thing that is asked for, and can do without an answer: being refused for long says nothing of other
    /// requests, and ends it.
    Extra,
}

impl How {
    /// So often; there is another way.
    pub(crate) fn trial(tries: u32) -> Self {
        Self { tries, line: Line::Shared, alone: false, need: Need::Trial }
    }

    /// Whether there is another way.
    pub(crate) fn is_trial(self) -> bool {
        self.need == Need::Trial
    }

    /// The same on a new connection, if `fresh`.
    #[must_use]
    pub(crate) fn fresh(self, fresh: bool) -> Self {
        Self { line: if fresh { Line::Fresh } else { self.line }, ..self }
    }
}

impl Http {
    pub(crate) fn new(transport: Transport, limits: Limits, meter: Meter) -> Self {
        Self { transport, limits, meter, lane: Arc::new(Semaphore::new(1)) }
    }

    /// How most requests are made.
    pub(crate) fn usual(&self) -> How {
        How { need: Need::Whole, ..How::trial(self.limits.tries) }
    }

    /// How what is attached to images is asked for.
    pub(crate) fn extra(&self) -> How {
        How { need: Need::Extra, ..self.usual() }
    }

    /// Sends a request until it is answered with something lasting, and reads the body whole, up to `limit` bytes.
    pub(crate) async fn fetch(&self, request: &Request, limit: usize, what: &str) -> Result<Answer, UpstreamError> {
        self.fetch_at(None, request, self.usual(), (limit, what)).await
    }

    /// As [`Self::fetch`], from a place among the registry's requests, in this way.
    pub(crate) async fn fetch_at(
        &self,
        place: Option<&mut Place>,
        request: &Request,
        how: How,
        (limit, what): (usize, &str),
    ) -> Result<Answer, UpstreamError> {
        self.retrying(request.to, how, place, |line| async move {
            let mut deadline = self.deadline(&request.url);
            let received = deadline.bound(self.transport.send(request, line)).await??;
            let answer = self.whole(received, limit, what, &mut deadline).await?;
            Ok((answer.head.clone(), answer))
        })
        .await
    }

    pub(crate) fn deadline(&self, url: &Url) -> Deadline {
        Deadline::new(self.limits.patience.saturating_add(EXCHANGE_TIMEOUT), url)
    }

    /// Sends a request once, to learn whether there is an answer at all, and which: on a connection of its own, where only
    /// what is meant for it breaks it.
    pub(crate) async fn fetch_once(&self, request: &Request, limit: usize) -> Result<Answer, UpstreamError> {
        self.meter.turn(self.limits.max_wait).await?;
        self.meter.request();
        let mut deadline = self.deadline(&request.url);
        let received = deadline.bound(self.transport.send(request, Line::Own)).await??;
        self.whole(received, limit, "an answer", &mut deadline).await
    }

    /// Sends a request until it is answered with something lasting; the body is left to be streamed.
    pub(crate) async fn open(&self, place: &mut Place, request: &Request, how: How) -> Result<Received, UpstreamError> {
        self.retrying(request.to, how, Some(place), |line| async move {
            let received = self.transport.send(request, line).await?;
            Ok((Head::of(&received), received))
        })
        .await
    }

    /// Makes an exchange until it comes to something lasting. Each try after the first has a new connection. Where
    /// several failed while other requests were under way, the next ones wait for these; if that helps, the registry is
    /// asked one thing at a time from then on.
    async fn retrying<T, F>(
        &self,
        to: Recipient,
        how: How,
        mut place: Option<&mut Place>,
        exchange: impl Fn(Line) -> F,
    ) -> Result<T, UpstreamError>
    where
        F: Future<Output = Result<(Head, T), UpstreamError>>,
    {
        // What other servers say of limits is not the registry's.
        let counts = |head: &Head| head.is_own && to != Recipient::TokenServer { is_registry: false };
        let (mut backoff, mut left, mut line) = (Backoff::new(), how.tries, how.line);
        let (mut silences, mut crowded, mut is_test) = (0, 0, false);
        let (mut refusals, mut answered) = (0, None);
        let mut sent = self.begin(to, place.as_deref()).await?;
        self.meter.request();
        loop {
            let is_crowded = place.as_ref().is_some_and(|place| place.is_crowded());
            let result = exchange(line).await;
            left = left.saturating_sub(1);
            match &result {
                Ok((head, _)) => {
                    self.meter.heard();
                    if counts(head) && self.is_refused_alone(head, how) {
                        return result.map(|(.., answer)| answer);
                    }
                    if counts(head) {
                        self.meter.observe(head.status, &head.headers);
                    }
                    if !retry::is_transient(head.status) {
                        if is_test {
                            self.meter.fall_back([Fallback::ParallelRequests]);
                        }
                        self.answered(to);
                        return result.map(|(.., answer)| answer);
                    }
                    // Too many requests mostly means how fast they come.
                    let is_rate = head.status == StatusCode::TOO_MANY_REQUESTS && !sent.is_only;
                    crowded += u32::from(is_crowded && is_overload(head) && !is_rate);
                    if counts(head) && self.limits_rate(head, how) {
                        // One that is refused while others are answered has not been tried in vain.
                        let wait = retry::retry_after(&head.headers, SystemTime::now());
                        let before = answered.replace(self.meter.refused(sent.at, wait, self.limits.max_wait));
                        refusals += 1;
                        left += u32::from(before != answered && refusals <= MOST_REFUSALS);
                    }
                }
                Err(error) if error.is_transient() => {
                    let is_silence =
                        matches!(error, UpstreamError::Timeout(_)) && sent.at.elapsed() >= self.limits.patience;
                    silences += u32::from(is_silence);
                    crowded += u32::from(is_crowded && !is_silence);
                }
                Err(_) => return result.map(|(.., answer)| answer),
            }
            if crowded >= MAX_CROWDED
                && !is_test
                && silences == 0
                && let Some(place) = place.as_mut()
            {
                is_test = true;
                left = left.max(MAX_CROWDED);
                place.be_alone().await;
            }
            // What can be asked in another way is not waited for twice.
            let is_last = left == 0 || silences >= if how.is_trial() { 1 } else { MAX_SILENCES };
            if let Ok((head, _)) = &result {
                // Whoever else is about to ask waits, too.
                let told = counts(head) && (is_last || head.headers.contains_key(RETRY_AFTER));
                let until = rate_limit::refusal(head.status, &head.headers);
                if let Some(until) = until.filter(|_| told && self.limits_rate(head, how)) {
                    self.meter.block(until);
                }
            }
            if is_last {
                return result.map(|(.., answer)| answer);
            }
            drop(result);
            let pause = backoff.next(&mut rand::rng());
            match place.as_deref() {
                Some(place) => place.aside(self.meter.pause(pause)).await,
                None => self.meter.pause(pause).await,
            }
            sent = self.begin(to, place.as_deref()).await?;
            self.meter.retry();
            line = Line::Fresh;
        }
    }

    /// Waits until a request may be sent; those that are not the registry's have no turns.
    async fn begin(&self, to: Recipient, place: Option<&Place>) -> Result<Sent, UpstreamError> {
        let most = self.limits.max_wait;
        if to == (Recipient::TokenServer { is_registry: false }) {
            self.meter.pass(most).await?;
            return Ok(Sent { at: Instant::now(), is_only: false });
        }
        match place {
            Some(place) => place.aside(self.meter.turn(most)).await,
            None => self.meter.turn(most).await,
        }
    }

    /// Whether an answer is a refusal because of a limit that is to be kept. A wait that nobody believes is none. Where
    /// what can be asked in another way is refused again for long, although the registry was left alone as it wanted, that
    /// other way is what decides.
    fn limits_rate(&self, head: &Head, how: How) -> bool {
        let Some(until) = rate_limit::refusal(head.status, &head.headers) else { return false };
        let is_long = until > rate_limit::after(self.limits.max_wait);
        let is_of_the_way = how.is_trial() && is_long && self.meter.has_left_alone();
        until <= rate_limit::after(LONGEST_WAIT) && !is_of_the_way
    }

    /// Whether an answer says that what can be done without is refused for longer than is waited for. Where that is meant
    /// for all requests, the next one of another kind is told so, too.
    fn is_refused_alone(&self, head: &Head, how: How) -> bool {
        let told = rate_limit::told(head.status, &head.headers);
        how.need == Need::Extra && told.is_some_and(|until| until > rate_limit::after(self.limits.max_wait))
    }

    fn answered(&self, to: Recipient) {
        if to != (Recipient::TokenServer { is_registry: false }) {
            self.meter.answered();
        }
    }

    /// Reads a body, at most `limit` bytes of it; of an error's body no more than finding its code takes.
    pub(crate) async fn whole(
        &self,
        received: Received,
        limit: usize,
        what: &str,
        deadline: &mut Deadline,
    ) -> Result<Answer, UpstreamError> {
        let head = Head::of(&received);
        let mut response = received.response;
        let mut body = Body::new(Arc::clone(&self.lane), response.version());
        let is_error = !head.status.is_success();
        let limit = if is_error { MAX_ERROR_BODY } else { limit };
        let url = display(response.url());
        while let Some(chunk) = deadline.bound(response.chunk()).await?.map_err(|error| {
            self.transport.broke_off(&response);
            transport_error(&error, &url)
        })? {
            self.meter.read(chunk.len());
            if body.len().saturating_add(chunk.len()) <= limit {
                body.push(&chunk, deadline).await?;
            } else if is_error {
                break;
            } else {
                return Err(UpstreamError::TooLarge { what: what.to_owned(), limit });
            }
        }
        Ok(Answer { head, body: body.into_bytes(), said: None })
    }
}

/// Whether a server may have too much to do. One that says how long it wants to be left alone, or how much it allows,
/// does not mean how many ask at once.
fn is_overload(head: &Head) -> bool {
    let says_limit = || {
        head.headers.contains_key(RETRY_AFTER)
            || rate_limit::observe(head.status, &head.headers, rate_limit::now()).is_some()
    };
    matches!(head.status.as_u16(), 429 | 502 | 503) && !says_limit()
}
