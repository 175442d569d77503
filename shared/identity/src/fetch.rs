//! A provider's documents, read from outside: bounded, without redirects, from addresses that the guard allows.

use std::{error::Error, sync::Arc, time::Duration};

use moorage_domain::Guard;
use moorage_resolver::{GuardedResolver, NotAllowed};
use reqwest::{Client, Response, header::ACCEPT, redirect};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    discovery::keys_of,
    issuer::{self, Issuer, IssuerError},
    key::{Keys, KeysError},
};

/// A provider that needs longer to accept a connection is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// As long as a document may take. Somebody waits, for two of them, and API Gateway gives up after 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(6);
/// The longest document, in bytes: as many keys as are taken, with their certificates.
const MAX_LENGTH: usize = 512 * 1024;
/// Who we are, for the provider's logs.
const USER_AGENT: &str = concat!("moorage/", env!("CARGO_PKG_VERSION"));

/// Why an issuer's keys cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It, or where its keys are, is nothing that we may ask.
    #[error("the issuer, or where its keys are, is not allowed: {0}")]
    NotAllowed(IssuerError),
    /// A name leads to an address that is not allowed.
    #[error("the issuer, or where its keys are, is at an address that is not allowed")]
    Address,
    /// There was no answer.
    #[error("the issuer did not answer")]
    Unreachable,
    /// It answers something else than a document.
    #[error("the issuer answered with status {0}")]
    Status(u16),
    /// The document is too long.
    #[error("the issuer's document is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// The document is none that says where keys are.
    #[error("the issuer's discovery document is malformed")]
    Malformed,
    /// The document is another issuer's.
    #[error("the issuer's discovery document names another issuer")]
    OtherIssuer,
    /// There are no keys where they should be.
    #[error("the issuer's keys cannot be used: {0}")]
    Keys(KeysError),
}

impl FetchError {
    /// Whether the same may work later, because the provider has a fault of its own.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable => true,
            Self::Status(status) => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }
}

/// Reads documents.
pub(crate) struct Fetcher {
    guard: Arc<Guard>,
    /// Made when it is first needed: most functions' environments never ask anybody.
    client: OnceCell<Client>,
}

impl Fetcher {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard: Arc::new(guard), client: OnceCell::new() }
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The keys that an issuer publishes now.
    pub(crate) async fn keys(&self, issuer: &Issuer) -> Result<Keys, FetchError> {
        let document = self.get(issuer.discovery()).await?;
        let keys = self.get(&keys_of(issuer, &document)?).await?;
        Keys::parse(&keys).map_err(FetchError::Keys)
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        issuer::check(url, &self.guard).map_err(FetchError::NotAllowed)?;
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
