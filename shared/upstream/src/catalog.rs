//! The repositories of a namespace, by each kind of registry's own way to list them.

pub(crate) mod distribution;
pub(crate) mod harbor;
pub(crate) mod quay;

use std::collections::BTreeSet;

use moorage_domain::{
    Credentials, ExposeSecret as _,
    discovery::MAX_REPOSITORIES,
    organization::{RegistryKind, RegistryUrl},
};
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use url::Url;

use crate::{
    Settings, UpstreamError,
    answer::Answer,
    auth::Auth,
    http::Http,
    pages::Pages,
    request::Requests,
    token::basic,
    transport::{Recipient, Request, Transport, sensitive},
};

/// What is read.
const WHAT: &str = "a page of the repositories";
/// The largest page: Harbor's and Quay's hold 100 repositories with what they know of each; a catalog that does not page
/// sends all names at once.
const MAX_PAGE: usize = 8 * 1024 * 1024;
/// The most pages of 100.
const MAX_PAGES: usize = 1_000;
/// The longest name of a repository without its namespace: distribution's limit for a whole name.
const MAX_NAME: usize = 255;
/// The most bytes that the names of a namespace take together.
const MAX_NAMES: usize = 8 * 1024 * 1024;

/// A namespace of an external registry.
#[derive(Debug)]
pub struct Catalog {
    kind: RegistryKind,
    base: Url,
    namespace: String,
    credentials: Option<Credentials>,
    /// Logs in by itself, as registries want it.
    requests: Requests,
}

impl Catalog {
    /// Opens a namespace. Nothing is sent yet.
    pub fn new(
        kind: RegistryKind,
        url: &RegistryUrl,
        namespace: &str,
        settings: Settings,
    ) -> Result<Self, UpstreamError> {
        let base = Url::parse(url.as_str());
        let base = base.map_err(|_| UpstreamError::Protocol(format!("{url} is not a URL")))?;
        let transport = Transport::new(&settings, settings.meter.clone())?;
        let auth = Auth::new(settings.credentials.clone(), settings.token_realms, "registry:catalog:*".to_owned());
        let requests = Requests::new(Http::new(transport, settings.limits, settings.meter), auth);
        Ok(Self { kind, base, namespace: namespace.to_owned(), credentials: settings.credentials, requests })
    }

    /// The names of all repositories of the namespace, without it, from all pages.
    pub async fn repositories(&self) -> Result<BTreeSet<String>, UpstreamError> {
        match self.kind {
            RegistryKind::Harbor => harbor::list(self).await,
            RegistryKind::Quay => quay::list(self).await,
            RegistryKind::Distribution => distribution::list(self).await,
        }
    }

    /// Whether the registry answers, takes the credentials, and has the namespace: its first page or its name is asked
    /// for.
    pub async fn check(&self) -> Result<(), UpstreamError> {
        match self.kind {
            RegistryKind::Harbor => harbor::check(self).await,
            RegistryKind::Quay => quay::check(self).await,
            RegistryKind::Distribution => distribution::check(self).await,
        }
    }

    /// A URL below the registry's, from whole segments.
    fn url(&self, segments: &[&str]) -> Result<Url, UpstreamError> {
        let mut url = self.base.clone();
        let path = url.path_segments_mut();
        path.map_err(|()| UpstreamError::Protocol(format!("{} is not a URL", self.base)))?.clear().extend(segments);
        Ok(url)
    }

    /// An answer to a request that carries its authorization from the start: the APIs beside the registry's do not
    /// challenge.
    async fn get(&self, url: &Url, authorization: Option<HeaderValue>) -> Result<Answer, UpstreamError> {
        let headers = HeaderMap::from_iter(authorization.map(|value| (AUTHORIZATION, value)));
        let (method, to) = (Method::GET, Recipient::Registry);
        let request = Request { method, url: url.clone(), headers, body: None, to };
        self.requests.http.fetch(&request, MAX_PAGE, WHAT).await
    }

    fn basic(&self) -> Option<HeaderValue> {
        self.credentials.as_ref().and_then(basic)
    }

    /// The password as a token; none, if it is empty.
    fn bearer(&self) -> Option<HeaderValue> {
        let token = self.credentials.as_ref()?.password.expose_secret();
        if token.is_empty() { None } else { sensitive(&format!("Bearer {token}")) }
    }
}

/// The names that a list has gathered.
#[derive(Debug, Default)]
pub(crate) struct Names {
    names: BTreeSet<String>,
    bytes: usize,
}

impl Names {
    /// Adds a name that a repository can have; registries serve no longer ones.
    pub(crate) fn add(&mut self, name: &str) -> Result<(), UpstreamError> {
        if !(1..=MAX_NAME).contains(&name.len()) || self.names.contains(name) {
            return Ok(());
        }
        let what = || "the namespace".to_owned();
        if self.names.len() >= MAX_REPOSITORIES {
            return Err(UpstreamError::TooMany { what: what(), limit: MAX_REPOSITORIES });
        }
        self.bytes = self.bytes.saturating_add(name.len());
        if self.bytes > MAX_NAMES {
            return Err(UpstreamError::TooLarge { what: what(), limit: MAX_NAMES });
        }
        self.names.insert(name.to_owned());
        Ok(())
    }

    pub(crate) fn into_set(self) -> BTreeSet<String> {
        self.names
    }
}

/// A successful answer's body, as a registry's API has it.
fn parse<T: serde::de::DeserializeOwned>(answer: Answer, url: &Url) -> Result<T, UpstreamError> {
    if answer.head.status != StatusCode::OK {
        return Err(answer.into_error(url));
    }
    serde_json::from_slice(&answer.body).map_err(|_| no_list(url))
}

fn no_list(url: &Url) -> UpstreamError {
    UpstreamError::no_list(url, WHAT)
}

fn pages(first: Url) -> Pages {
    Pages::new(first, "the repositories", MAX_PAGES)
}
