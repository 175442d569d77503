//! The repositories of a namespace, by each kind of registry's own way to list them.

mod distribution;
mod harbor;
mod quay;

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{
    ExposeSecret as _,
    discovery::MAX_REPOSITORIES,
    organization::{RegistryKind, RegistryUrl},
};
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use url::Url;

use crate::{
    Credentials, Settings, UpstreamError,
    auth::Auth,
    pages::Pages,
    request::{Answer, Http, Requests},
    transport::{Request, Transport, sensitive},
};

/// The largest page: Harbor's and Quay's hold 100 repositories with what they know of each; a catalog that does not page
/// sends all names at once.
const MAX_PAGE: usize = 8 * 1024 * 1024;
/// The most pages of 100.
const MAX_PAGES: usize = 1_000;

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
        let transport = Transport::new(&settings)?;
        let auth = Auth::new(settings.credentials.clone(), "registry:catalog:*".to_owned());
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
        let request = Request { method: Method::GET, url: url.clone(), headers, body: None };
        self.requests.http.fetch(&request, MAX_PAGE, "a page of the repositories").await
    }

    fn basic(&self) -> Option<HeaderValue> {
        let credentials = self.credentials.as_ref()?;
        let pair = format!("{}:{}", credentials.username, credentials.password.expose_secret());
        sensitive(&format!("Basic {}", BASE64.encode(pair)))
    }

    fn bearer(&self) -> Option<HeaderValue> {
        let token = &self.credentials.as_ref()?.password;
        sensitive(&format!("Bearer {}", token.expose_secret()))
    }
}

/// The names that a list has gathered.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn add(&mut self, name: &str) -> Result<(), UpstreamError> {
        if !name.is_empty() {
            self.0.insert(name.to_owned());
        }
        if self.0.len() > MAX_REPOSITORIES {
            return Err(UpstreamError::Protocol(format!(
                "the namespace has more than {MAX_REPOSITORIES} repositories"
            )));
        }
        Ok(())
    }
}

/// A successful answer's body, as a registry's API has it.
fn parse<T: serde::de::DeserializeOwned>(answer: Answer, url: &Url) -> Result<T, UpstreamError> {
    if answer.status != StatusCode::OK {
        return Err(answer.into_error(url));
    }
    let other =
        |_| UpstreamError::Protocol(format!("{} is not a list of repositories", crate::transport::display(url)));
    serde_json::from_slice(&answer.body).map_err(other)
}

fn pages(first: Url) -> Pages {
    Pages::new(first, "the repositories", MAX_PAGES)
}
