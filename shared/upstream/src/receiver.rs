//! Servers that are told something, and that are no registries: one request each, no redirect, and nothing of the answer is
//! read but its status.

use std::{sync::Arc, time::Duration};

use moorage_domain::Guard;
use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use crate::{UpstreamError, connections::Recipe, error::transport_error, tls::ClientTls};

/// How long an answer may take, all of it: Quay's limit.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends to whoever may be connected to.
#[derive(Debug, Clone)]
pub struct Receivers {
    client: Client,
    guard: Arc<Guard>,
}

impl Receivers {
    /// With the addresses that a guard lets through.
    pub fn new(guard: Guard) -> Result<Self, UpstreamError> {
        let guard = Arc::new(guard);
        let (proxies, tls, patience) = (Vec::new(), ClientTls::default(), PATIENCE);
        let recipe = Recipe { proxies, guard: Arc::clone(&guard), verify_tls: true, tls, patience };
        // Connections are not kept: one stays in a function that sleeps, and is dead when it wakes.
        Ok(Self { client: recipe.client(false)?, guard })
    }

    /// Posts JSON. Whoever answers anything but a success, a redirect, too, has not taken it.
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<(), UpstreamError> {
        let host = url.host_str().unwrap_or_default();
        if !self.guard.allows_host(host) {
            return Err(UpstreamError::NotAllowed(host.to_owned()));
        }
        let pair = |(name, value): &(&'static str, String)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
        };
        let mut all: HeaderMap = headers.iter().filter_map(pair).collect();
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = self.client.post(url.clone()).headers(all).body(body).timeout(PATIENCE);
        let answer = request.send().await.map_err(|error| transport_error(&error, &place(url)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        Err(UpstreamError::Status { status: status.as_u16(), url: place(url), said: String::new() })
    }
}

/// Where a URL leads, without its path: who knows that may write there.
fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_do_not_hold_what_opens_a_channel() {
        let url: Url = "https://hooks.example.com:8443/services/T1/B2/secret?also=this".parse().unwrap();
        assert_eq!(place(&url), "https://hooks.example.com:8443");
    }
}
