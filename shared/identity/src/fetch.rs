//! A provider's documents, read from outside: bounded, without redirects, from addresses that the guard allows.

use std::{error::Error, sync::Arc, time::Duration};

use moorage_domain::{Guard, Timestamp};
use moorage_resolver::{GuardedResolver, NotAllowed};
use reqwest::{Client, Response, header::ACCEPT, redirect};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    discovery::keys_of,
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

    /// The keys that an issuer publishes now.
    pub(crate) async fn keys(&self, issuer: &Issuer, now: Timestamp) -> Result<Keys, FetchError> {
        let document = self.get(issuer.discovery(), now).await?;
        let keys = self.get(&keys_of(issuer, &document)?, now).await?;
        Keys::parse(&keys).map_err(FetchError::Keys)
    }

    async fn get(&self, url: &Url, now: Timestamp) -> Result<Vec<u8>, FetchError> {
        issuer::check(url, &self.guard).map_err(FetchError::NotAllowed)?;
        if !self.hosts.may_be_asked(url, now) {
            return Err(FetchError::Paused);
        }
        let client = self.client.get_or_try_init(|| async { self.build() }).await?;
        let request = client.get(url.clone()).header(ACCEPT, "application/json");
        let response = request.send().await.map_err(|error| sorted(&error))?;
        // A redirect is no success, and is not followed: it would lead where nobody has looked.
        if !response.status().is_success() {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        body(response).await
    }

    fn build(&self) -> Result<Client, FetchError> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .dns_resolver(Arc::new(GuardedResolver(Arc::clone(&self.guard))))
            .no_proxy()
            .build();
        client.map_err(|_| FetchError::Unreachable)
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| sorted(&error))? {
        if body.len() + chunk.len() > MAX_LENGTH {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a failed exchange was.
fn sorted(error: &reqwest::Error) -> FetchError {
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
