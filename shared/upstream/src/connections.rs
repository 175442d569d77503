//! Connections: one for many requests where a registry speaks HTTP/2, some that are kept, or a new one for each request where
//! it breaks those.

use std::{
    collections::HashSet,
    pin::pin,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use moorage_domain::Fallback;
use reqwest::{
    Client, RequestBuilder, Response, Version,
    header::{CONNECTION, HeaderValue},
};
use url::Url;

use crate::{
    Meter, UpstreamError,
    error::wants_http1,
    recipe::{Kept, Recipe},
    tally::{Sent, Tally},
};

/// When nothing has come on a kept connection for so long, the request is made on a new one, too: the kept one may be
/// dead.
const SILENCE: Duration = Duration::from_secs(10);
/// Of how many servers it is remembered that they speak HTTP/1.1 alone. A registry has few; whoever redirects to a new
/// one each time gets no more memory by it.
const MAX_ORIGINS: usize = 64;

/// By which connection a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// One that is kept, and that others may have at the same time.
    Shared,
    /// One that is kept, and that it has for itself until all of the answer has come: what is large has a congestion
    /// window of its own.
    Own,
    /// A new one, which is not kept.
    Fresh,
}

/// The connections of one sync.
#[derive(Debug)]
pub(crate) struct Connections {
    shared: Client,
    /// Made when it is needed, as the next one: where HTTP/2 is spoken.
    own: OnceLock<Client>,
    /// Most registries break no connections.
    fresh: OnceLock<Client>,
    recipe: Recipe,
    pub(crate) meter: Meter,
    /// What speaks HTTP/1.1 although HTTP/2 was offered.
    http1: Mutex<HashSet<(String, u16)>>,
    /// Of connections that others may have at the same time.
    streams: Tally,
    /// Of the others.
    kept: Tally,
    /// Whether anybody has answered by HTTP/2.
    http2: AtomicBool,
    /// What seemed to be an objection to a kept connection was also said on a new one.
    objects_to_all: AtomicBool,
}

/// The kept connection that a request goes by.
struct Route<'c> {
    client: &'c Client,
    /// Whether it may be one of HTTP/2.
    is_shared: bool,
    tally: &'c Tally,
    sent: Sent,
}

impl Route<'_> {
    /// What is given up if such connections break.
    fn fallback(&self) -> Fallback {
        if self.is_shared { Fallback::Http2 } else { Fallback::KeepAlive }
    }
}

impl Connections {
    pub(crate) fn new(recipe: Recipe, meter: Meter) -> Result<Self, UpstreamError> {
        Ok(Self {
            shared: recipe.client(Kept::Shared)?,
            own: OnceLock::new(),
            fresh: OnceLock::new(),
            recipe,
            meter,
            http1: Mutex::default(),
            streams: Tally::default(),
            kept: Tally::default(),
            http2: AtomicBool::new(false),
            objects_to_all: AtomicBool::new(false),
        })
    }

    /// Sends what `build` makes for a URL. What breaks on a kept connection, or is not answered there, is sent once more on a
    /// new one, at once; where this registry breaks kept connections, all is sent on new ones.
    pub(crate) async fn send(
        &self,
        build: impl Fn(&Client) -> RequestBuilder,
        url: &Url,
        line: Line,
    ) -> Result<Response, reqwest::Error> {
        if line == Line::Fresh || self.meter.falls_back(Fallback::KeepAlive) {
            return build(self.fresh()).send().await;
        }
        let route = self.route(url, line);
        let mut kept = pin!(build(route.client).send());
        // Before the first answer there is no connection that was used before; but one of HTTP/2 may never bring any.
        let may_be_dead = (route.is_shared || route.tally.has_answered()) && !route.tally.is_slow();
        if !may_be_dead {
            let late = kept.await;
            return self.judge(late, url, &route, build).await;
        }
        if let Ok(early) = tokio::time::timeout(SILENCE.min(self.recipe.patience / 2), &mut kept).await {
            return self.judge(early, url, &route, build).await;
        }
        let mut fresh = pin!(self.again(&build));
        // It has to wait for its turn where others were answered, and that is no silence.
        let is_silent = || !route.is_shared || !route.tally.has_answered_since(route.sent);
        tokio::select! {
            late = &mut kept => match late {
                Ok(response) => {
                    if is_silent() {
                        route.tally.was_slow();
                    }
                    Ok(self.answered(response, url, &route))
                }
                Err(error) if error.is_connect() => Err(error),
                Err(_) => fresh.await.inspect(|_| self.broke(&route)),
            },
            response = &mut fresh => match response {
                Ok(response) => {
                    if is_silent() {
                        self.meter.fall_back([route.fallback()]);
                    } else {
                        self.broke(&route);
                    }
                    Ok(response)
                }
                Err(_) => kept.await,
            },
        }
    }

    /// Whether anybody has answered by HTTP/2.
    pub(crate) fn has_spoken_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    /// Notes that the body of an answer broke off.
    pub(crate) fn broke_off(&self, response: &Response) {
        // Of HTTP/1.1 that says nothing of connections that are kept: it had one of its own.
        if let Some(sent) = response.extensions().get::<Sent>()
            && self.streams.broke_together(*sent)
        {
            self.meter.fall_back([Fallback::Http2]);
        }
    }

    fn route(&self, url: &Url, line: Line) -> Route<'_> {
        let is_offered = url.scheme() == "https" && !self.speaks_http1(url);
        let is_apart = is_offered && (line == Line::Own || self.meter.falls_back(Fallback::Http2));
        let client = if is_apart { self.client(&self.own, Kept::Apart) } else { &self.shared };
        let is_shared = is_offered && !is_apart;
        let tally = if is_shared { &self.streams } else { &self.kept };
        Route { client, is_shared, tally, sent: tally.sent() }
    }

    /// What came of a kept connection, if that is the server's word; else what a new one brings.
    async fn judge(
        &self,
        result: Result<Response, reqwest::Error>,
        url: &Url,
        route: &Route<'_>,
        build: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, reqwest::Error> {
        let was_first = !route.is_shared && !route.tally.has_answered();
        match result {
            Ok(response) => {
                let response = self.answered(response, url, route);
                if was_first || !is_objection(&response) || self.objects_to_all.load(Relaxed) {
                    return Ok(response);
                }
                match self.again(build).await {
                    Ok(answer) if !is_objection(&answer) => {
                        self.broke(route);
                        Ok(answer)
                    }
                    Ok(answer) => {
                        self.objects_to_all.store(true, Relaxed);
                        Ok(answer)
                    }
                    Err(_) => Ok(response),
                }
            }
            // There was no connection, or none was used before.
            Err(error) if was_first || error.is_connect() || error.is_builder() || error.is_timeout() => Err(error),
            Err(error) => {
                let answer = self.again(build).await?;
                if wants_http1(&error) {
                    self.meter.fall_back([Fallback::Http2]);
                } else {
                    self.broke(route);
                }
                Ok(answer)
            }
        }
    }

    /// Notes an answer, and what its server speaks.
    fn answered(&self, mut response: Response, url: &Url, route: &Route<'_>) -> Response {
        route.tally.answered();
        if response.version() == Version::HTTP_2 {
            self.http2.store(true, Relaxed);
            response.extensions_mut().insert(route.sent);
        }
        if url.scheme() == "https"
            && let Some(origin) = origin(url)
        {
            let mut http1 = self.http1.lock().unwrap_or_else(PoisonError::into_inner);
            if response.version() == Version::HTTP_2 {
                http1.remove(&origin);
            } else if route.is_shared && http1.len() < MAX_ORIGINS {
                http1.insert(origin);
            }
        }
        response
    }

    fn speaks_http1(&self, url: &Url) -> bool {
        let http1 = self.http1.lock().unwrap_or_else(PoisonError::into_inner);
        origin(url).is_some_and(|origin| http1.contains(&origin))
    }

    /// Sends a request once more, on a new connection.
    async fn again(&self, build: impl Fn(&Client) -> RequestBuilder) -> Result<Response, reqwest::Error> {
        self.meter.retry();
        build(self.fresh()).send().await
    }

    fn broke(&self, route: &Route<'_>) {
        let is_too_often = if route.is_shared { route.tally.broke_together(route.sent) } else { route.tally.broke() };
        if is_too_often {
            self.meter.fall_back([route.fallback()]);
        }
    }

    fn fresh(&self) -> &Client {
        self.client(&self.fresh, Kept::Never)
    }

    fn client<'c>(&'c self, place: &'c OnceLock<Client>, kept: Kept) -> &'c Client {
        // The same recipe has made the first one.
        place.get_or_init(|| self.recipe.client(kept).unwrap_or_else(|_| self.shared.clone()))
    }
}

/// The server that a URL leads to.
fn origin(url: &Url) -> Option<(String, u16)> {
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

/// What a server says to the rest of something that it took for a request, or of a connection that it had given up. It
/// ends the connection.
fn is_objection(response: &Response) -> bool {
    let closes = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    matches!(response.status().as_u16(), 400 | 408) && response.headers().get(CONNECTION).is_some_and(closes)
}
