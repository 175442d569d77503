//! Connections: kept for the next request, or a new one for each where a registry breaks those that are kept.

use std::{
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use moorage_domain::{Fallback, Guard};
use moorage_resolver::GuardedResolver;
use reqwest::{
    Client, Proxy, RequestBuilder, Response,
    header::{CONNECTION, HeaderValue},
    redirect,
};

use crate::{Meter, UpstreamError, tls::ClientTls};

/// A registry that needs longer to accept a connection is down.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// When nothing has come on a kept connection for so long, the request is made on a new one, too: the kept one may be
/// dead.
const SILENCE: Duration = Duration::from_secs(10);
/// From so many requests on that a kept connection broke and a new one answered, connections may be the reason…
const MIN_BROKEN: u32 = 3;
/// …and they are if that is more than one in so many. Servers close connections that nothing is asked on, and now and
/// then at the moment when something is.
const ONE_IN: u32 = 8;
/// Who we are, for the registry's logs.
const USER_AGENT: &str = concat!("moorage/", env!("CARGO_PKG_VERSION"));

/// The connections of one sync.
#[derive(Debug)]
pub(crate) struct Connections {
    kept: Client,
    /// Never keeps a connection. Made when it is needed: most registries break none.
    fresh: OnceLock<Client>,
    recipe: Recipe,
    pub(crate) meter: Meter,
    /// Requests that were answered on connections that are kept.
    answered: AtomicU32,
    /// Requests that were answered only on a new one.
    broken: AtomicU32,
    /// An answer came after [`SILENCE`]: that says nothing of a connection here.
    is_slow: AtomicBool,
    /// What seemed to be an objection to a kept connection was also said on a new one.
    objects_to_all: AtomicBool,
}

/// What a client is made of. Whatever two mirrors have in common, they have no client in common: no connection is shared, and
/// no session of TLS is taken up again, that was made with another one's certificate.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) verify_tls: bool,
    pub(crate) tls: ClientTls,
    pub(crate) patience: Duration,
}

impl Recipe {
    pub(crate) fn client(&self, keeps: bool) -> Result<Client, UpstreamError> {
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(self.patience)
            .redirect(redirect::Policy::none())
            .dns_resolver(Arc::new(GuardedResolver(Arc::clone(&self.guard))))
            .tls_danger_accept_invalid_certs(!self.verify_tls)
            .no_proxy();
        let builder = self.tls.apply(builder);
        let builder = if keeps { builder } else { builder.pool_max_idle_per_host(0) };
        let builder = self.proxies.iter().cloned().fold(builder, reqwest::ClientBuilder::proxy);
        builder.build().map_err(|_| UpstreamError::Settings)
    }
}

impl Connections {
    pub(crate) fn new(recipe: Recipe, meter: Meter) -> Result<Self, UpstreamError> {
        Ok(Self {
            kept: recipe.client(true)?,
            fresh: OnceLock::new(),
            recipe,
            meter,
            answered: AtomicU32::new(0),
            broken: AtomicU32::new(0),
            is_slow: AtomicBool::new(false),
            objects_to_all: AtomicBool::new(false),
        })
    }

    /// Sends what `build` makes; with `fresh`, or where this registry breaks kept connections, on a new connection. What
    /// breaks on a kept connection, or is not answered there, is sent once more on a new one, at once.
    pub(crate) async fn send(
        &self,
        build: impl Fn(&Client) -> RequestBuilder,
        fresh: bool,
    ) -> Result<Response, reqwest::Error> {
        if fresh || self.meter.falls_back(Fallback::KeepAlive) {
            return build(self.fresh()).send().await;
        }
        let mut kept = pin!(build(&self.kept).send());
        // Before the first answer there is no connection that was used before.
        let may_be_dead = self.answered.load(Relaxed) > 0 && !self.is_slow.load(Relaxed);
        if may_be_dead && let Ok(early) = tokio::time::timeout(SILENCE.min(self.recipe.patience / 2), &mut kept).await {
            return self.judge(early, build).await;
        }
        if !may_be_dead {
            let late = kept.await;
            return self.judge(late, build).await;
        }
        let mut fresh = pin!(self.again(&build));
        tokio::select! {
            late = &mut kept => match late {
                Ok(response) => {
                    self.is_slow.store(true, Relaxed);
                    self.answered.fetch_add(1, Relaxed);
                    Ok(response)
                }
                Err(_) => fresh.await.inspect(|_| self.broke()),
            },
            response = &mut fresh => match response {
                Ok(response) => {
                    self.meter.fall_back([Fallback::KeepAlive]);
                    Ok(response)
                }
                Err(_) => kept.await,
            },
        }
    }

    /// What came of a kept connection, if that is the server's word; else what a new one brings.
    async fn judge(
        &self,
        result: Result<Response, reqwest::Error>,
        build: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, reqwest::Error> {
        let was_first = self.answered.load(Relaxed) == 0;
        match result {
            Ok(response) => {
                self.answered.fetch_add(1, Relaxed);
                if was_first || !is_objection(&response) || self.objects_to_all.load(Relaxed) {
                    return Ok(response);
                }
                match self.again(build).await {
                    Ok(answer) if !is_objection(&answer) => {
                        self.broke();
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
            Err(_) => self.again(build).await.inspect(|_| self.broke()),
        }
    }

    /// Sends a request once more, on a new connection.
    async fn again(&self, build: impl Fn(&Client) -> RequestBuilder) -> Result<Response, reqwest::Error> {
        self.meter.retry();
        build(self.fresh()).send().await
    }

    fn broke(&self) {
        let broken = self.broken.fetch_add(1, Relaxed).saturating_add(1);
        if broken >= MIN_BROKEN && broken.saturating_mul(ONE_IN) > self.answered.load(Relaxed) {
            self.meter.fall_back([Fallback::KeepAlive]);
        }
    }

    fn fresh(&self) -> &Client {
        // The same recipe has made the other one.
        self.fresh.get_or_init(|| self.recipe.client(false).unwrap_or_else(|_| self.kept.clone()))
    }
}

/// What a server says to the rest of something that it took for a request, or of a connection that it had given up. It
/// ends the connection.
fn is_objection(response: &Response) -> bool {
    let closes = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    matches!(response.status().as_u16(), 400 | 408) && response.headers().get(CONNECTION).is_some_and(closes)
}
