//! Servers that are no registries, and are told or asked something: one request each, and no redirect.

use std::{sync::Arc, time::Duration};

use moorage_domain::Guard;
use reqwest::{
    Client, Response,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    UpstreamError,
    error::transport_error,
    recipe::{Kept, Recipe},
    tls::ClientTls,
};

/// How long an answer may take, all of it: Quay's limit.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends to whoever may be connected to.
#[derive(Debug, Clone)]
pub struct Receivers {
    /// Made when it is first used: it reads the authorities that are trusted, which takes longer than a function's start.
    client: Arc<OnceCell<Client>>,
    guard: Arc<Guard>,
}

impl Receivers {
    /// With the addresses that a guard lets through.
    pub fn new(guard: Guard) -> Self {
        Self { client: Arc::default(), guard: Arc::new(guard) }
    }

    async fn client(&self) -> Result<&Client, UpstreamError> {
        let make = async || {
            let (guard, tls) = (Arc::clone(&self.guard), ClientTls::default());
            let recipe = Recipe { proxies: Vec::new(), guard, verify_tls: true, tls, patience: PATIENCE };
            // Connections are not kept: one stays in a function that sleeps, and is dead when it wakes.
            recipe.client(Kept::Never)
        };
        self.client.get_or_try_init(make).await
    }

    /// Posts JSON. Whoever answers anything but a success, a redirect, too, has not taken it.
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<(), UpstreamError> {
        let mut all = header_map(headers);
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Nothing of the answer is read but its status.
        let status = self.send(url, all, body).await?.status();
        if status.is_success() {
            return Ok(());
        }
        Err(UpstreamError::Status { status: status.as_u16(), url: place(url), said: String::new() })
    }

    /// Posts something, and gives the status of the answer and at most `limit` bytes of it: a longer one is none.
    pub async fn ask(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        limit: usize,
    ) -> Result<(u16, Vec<u8>), UpstreamError> {
        let mut answer = self.send(url, header_map(headers), body).await?;
        let mut read = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| transport_error(&error, &place(url)))? {
            if read.len().saturating_add(chunk.len()) > limit {
                return Err(UpstreamError::TooLarge { what: format!("the answer of {}", place(url)), limit });
            }
            read.extend_from_slice(&chunk);
        }
        Ok((answer.status().as_u16(), read))
    }

    async fn send(&self, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<Response, UpstreamError> {
        let host = url.host_str().unwrap_or_default();
        if !self.guard.allows_host(host) {
            return Err(UpstreamError::NotAllowed(host.to_owned()));
        }
        let request = self.client().await?.post(url.clone()).headers(headers).body(body).timeout(PATIENCE);
        request.send().await.map_err(|error| transport_error(&error, &place(url)))
    }
}

/// Headers as they are sent. What can be no header's value is left out.
fn header_map(headers: &[(&'static str, String)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, String)| {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_static(name), value))
    };
    headers.iter().filter_map(pair).collect()
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
