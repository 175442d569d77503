//! One exchange with a host: TLS, proxy, redirects, and the guard at the moment of connecting.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use moorage_domain::{ExposeSecret as _, Guard, Proxy, SecretString};
use reqwest::{
    Method, NoProxy, Response,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION},
};
use url::Url;

use crate::{
    Meter, UpstreamError,
    address::{display, redirected},
    connections::{Connections, Line},
    error::transport_error,
    realm::{is_inside, is_inside_address},
    recipe::{CONNECT_TIMEOUT, Recipe},
    settings::Settings,
    tls::ClientTls,
};

/// Redirects of one request, as many as Go's clients follow.
const MAX_REDIRECTS: usize = 10;

/// Sends requests.
#[derive(Debug)]
pub(crate) struct Transport {
    connections: Connections,
    guard: Arc<Guard>,
    verify_tls: bool,
}

/// A request that can be sent again.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// A form, for token servers.
    pub(crate) body: Option<String>,
    pub(crate) to: Recipient,
}

/// Whom a request is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// The registry, which may redirect to its storage.
    Registry,
    /// A token server, and whether that is the registry itself. It answers by itself or not at all.
    TokenServer { is_registry: bool },
}

/// An answer, and whether it is the recipient's own: no redirect has led to another origin on the way.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) response: Response,
    pub(crate) is_own: bool,
}

impl Transport {
    pub(crate) fn new(settings: &Settings, meter: Meter) -> Result<Self, UpstreamError> {
        let (guard, verify_tls) = (Arc::new(settings.guard.clone()), settings.verify_tls);
        let proxies = proxies(&settings.proxy, &guard)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (tls, patience) = (ClientTls::new(&settings.tls, now)?, settings.limits.patience);
        let recipe = Recipe { proxies, guard: Arc::clone(&guard), verify_tls, tls, patience };
        Ok(Self { connections: Connections::new(recipe, meter)?, guard, verify_tls })
    }

    /// Sends a request and follows its redirects, each by such a connection. `Authorization` goes to the first origin only, a
    /// body nowhere else, and a token server's request not at all.
    pub(crate) async fn send(&self, request: &Request, line: Line) -> Result<Received, UpstreamError> {
        let mut request = request.clone();
        let (mut is_own, mut is_signed) = (true, false);
        for _ in 0..=MAX_REDIRECTS {
            let mut response = self.send_once(&request, line).await?;
            // A place that is named with a signature may not want to be told twice who asks.
            if is_signed && is_refusal(&response) && request.headers.remove(AUTHORIZATION).is_some() {
                self.connections.meter.retry();
                response = self.send_once(&request, line).await?;
            }
            let location = response.headers().get(LOCATION).filter(|_| is_redirect(&response));
            let Some(location) = location else { return Ok(Received { response, is_own }) };
            let from = display(&request.url);
            let target = redirected(&request.url, location)
                .ok_or_else(|| UpstreamError::Protocol(format!("{from} redirects to a malformed URL")))?;
            if target.origin() != request.url.origin() {
                if request.body.is_some() || request.to != Recipient::Registry {
                    let to = target.host_str().unwrap_or_default();
                    return Err(UpstreamError::Protocol(format!("{from} redirects a request for a token to {to}")));
                }
                request.headers.remove(AUTHORIZATION);
                is_own = false;
            }
            is_signed = target.query().is_some();
            request.url = target;
        }
        Err(UpstreamError::Protocol(format!("{} redirects more than {MAX_REDIRECTS} times", display(&request.url))))
    }

    /// Whether a URL's name leads to this machine or its own network. What cannot be resolved here, because a proxy does
    /// it, does not.
    pub(crate) async fn leads_inside(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        if is_inside(host) {
            return true;
        }
        let port = url.port_or_known_default().unwrap_or_default();
        match tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(mut addresses)) => addresses.any(|address| is_inside_address(address.ip())),
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Whether anybody has answered by HTTP/2.
    pub(crate) fn has_spoken_http2(&self) -> bool {
        self.connections.has_spoken_http2()
    }

    /// Notes that the body of an answer broke off.
    pub(crate) fn broke_off(&self, response: &Response) {
        self.connections.broke_off(response);
    }

    async fn send_once(&self, request: &Request, line: Line) -> Result<Response, UpstreamError> {
        self.check(&request.url)?;
        let build = |client: &reqwest::Client| {
            let builder = client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
            match &request.body {
                Some(body) => builder.body(body.clone()),
                None => builder,
            }
        };
        let sent = self.connections.send(build, &request.url, line).await;
        sent.map_err(|error| transport_error(&error, &display(&request.url)))
    }

    /// Judges a URL before anything is sent to it. Addresses that its name resolves to are judged by the resolver.
    fn check(&self, url: &Url) -> Result<(), UpstreamError> {
        let encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            scheme => return Err(UpstreamError::Protocol(format!("a URL has the scheme {scheme}"))),
        };
        if self.verify_tls && !encrypted {
            let (url, message) = (display(url), "plain http, but verify_tls requires https".to_owned());
            return Err(UpstreamError::Tls { url, message });
        }
        let host = url.host_str().unwrap_or_default();
        if self.guard.allows_host(host) { Ok(()) } else { Err(UpstreamError::NotAllowed(host.to_owned())) }
    }
}

fn is_redirect(response: &Response) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// What is said to whoever shows more than is wanted, or not enough.
fn is_refusal(response: &Response) -> bool {
    matches!(response.status().as_u16(), 400 | 403)
}

/// The mirror's proxies. A proxy is a host like any other, and judged as one.
fn proxies(proxy: &Proxy, guard: &Guard) -> Result<Vec<reqwest::Proxy>, UpstreamError> {
    let except = proxy.no_proxy.as_deref().map(comma_separated).as_deref().and_then(NoProxy::from_string);
    let build = |url: &Option<SecretString>, make: fn(Url) -> reqwest::Result<reqwest::Proxy>| {
        let Some(url) = url.as_ref().map(SecretString::expose_secret) else { return Ok(None) };
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let url = Url::parse(&url).map_err(|_| UpstreamError::Settings)?;
        let host = url.host_str().ok_or(UpstreamError::Settings)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UpstreamError::Settings);
        }
        if !guard.allows_host(host) {
            return Err(UpstreamError::NotAllowed(host.to_owned()));
        }
        let proxy = make(url).map_err(|_| UpstreamError::Settings)?;
        Ok(Some(proxy.no_proxy(except.clone())))
    };
    let proxies = [build(&proxy.http, reqwest::Proxy::http)?, build(&proxy.https, reqwest::Proxy::https)?];
    Ok(proxies.into_iter().flatten().collect())
}

/// The hosts that are reached without a proxy, separated as [`NoProxy`] has them. Some people separate them by blanks, as
/// curl takes them, too.
fn comma_separated(hosts: &str) -> String {
    hosts.split([',', ' ', '\t', '\n']).filter(|host| !host.is_empty()).collect::<Vec<_>>().join(",")
}

/// A header's value; secrets in it are marked, so that no debug output shows them.
pub(crate) fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_a_proxy_are_separated_by_commas_or_blanks() {
        for (sent, read) in [
            ("a.example,10.0.0.0/8", "a.example,10.0.0.0/8"),
            (" a.example , .b.example,,", "a.example,.b.example"),
            ("a b\tc", "a,b,c"),
            ("", ""),
        ] {
            assert_eq!(comma_separated(sent), read, "{sent:?}");
        }
    }
}
