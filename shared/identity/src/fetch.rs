//! A provider's documents, read from outside: bounded, without redirects, from addresses that the guard allows.

use std::{error::Error, sync::Arc, time::Duration};

use moorage_domain::{Guard, Timestamp};
use moorage_resolver::{GuardedResolver, NotAllowed};
use reqwest::{Client, RequestBuilder, Response, header::ACCEPT, redirect};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    discovery::{self, Endpoints},
    fetch_error::{FetchError, MAX_LENGTH},
    hosts::Hosts,
    issuer::{self, Issuer},
    key::Keys,
};

/// A provider that needs longer to accept a connection is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// As long as a document may take. Somebody waits, for two of them, and API Gateway gives up after 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(6);
/// Who we are, for the provider's logs.
const USER_AGENT: &str = concat!("moorage/", env!("CARGO_PKG_VERSION"));

/// What an issuer publishes.
#[derive(Debug)]
pub(crate) struct Published {
    /// Its keys.
    pub(crate) keys: Keys,
    /// Where people sign in.
    pub(crate) endpoints: Endpoints,
}

/// Reads documents.
pub(crate) struct Fetcher {
    guard: Arc<Guard>,
    /// Made when it is first needed: most functions' environments never ask anybody.
    client: OnceCell<Client>,
    hosts: Hosts,
}

impl Fetcher {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard: Arc::new(guard), client: OnceCell::new(), hosts: Hosts::new() }
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// What an issuer publishes now.
    pub(crate) async fn published(&self, issuer: &Issuer, now: Timestamp) -> Result<Published, FetchError> {
        let document = self.get(issuer.discovery(), now).await?;
        let document = discovery::read(issuer, &self.guard, &document)?;
        let keys = self.get(&document.keys, now).await?;
        Ok(Published { keys: Keys::parse(&keys).map_err(FetchError::Keys)?, endpoints: document.endpoints })
    }

    /// A request that is sent to a URL, if the guard allows that.
    pub(crate) async fn post(&self, url: &Url) -> Result<RequestBuilder, FetchError> {
        issuer::check(url, &self.guard).map_err(FetchError::NotAllowed)?;
        Ok(self.client().await?.post(url.clone()).header(ACCEPT, "application/json"))
    }

    async fn get(&self, url: &Url, now: Timestamp) -> Result<Vec<u8>, FetchError> {
        issuer::check(url, &self.guard).map_err(FetchError::NotAllowed)?;
        if !self.hosts.may_be_asked(url, now) {
            return Err(FetchError::Paused);
        }
        let request = self.client().await?.get(url.clone()).header(ACCEPT, "application/json");
        let response = request.send().await.map_err(|error| sorted(&error))?;
        // A redirect is no success, and is not followed: it would lead where nobody has looked.
        if !response.status().is_success() {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        body(response, MAX_LENGTH).await
    }

    async fn client(&self) -> Result<&Client, FetchError> {
        self.client.get_or_try_init(|| async { self.build() }).await
    }

    fn build(&self) -> Result<Client, FetchError> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .dns_resolver(Arc::new(GuardedResolver(Arc::clone(&self.guard))))
            // One question at a time has nothing of HTTP/2, and of it there would be more to bound.
            .http1_only()
            .no_proxy()
            .build();
        client.map_err(|_| FetchError::Unreachable)
    }
}

/// A body of so many bytes at most.
pub(crate) async fn body(mut response: Response, most: usize) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| sorted(&error))? {
        if body.len() + chunk.len() > most {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a failed exchange was.
pub(crate) fn sorted(error: &reqwest::Error) -> FetchError {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.is::<NotAllowed>() {
            return FetchError::Address;
        }
        next = error.source();
    }
    tracing::warn!(%error, "an identity provider did not answer");
    FetchError::Unreachable
}
