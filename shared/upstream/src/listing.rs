//! Listings that say what tags point to, each kind of registry in its own way. Such a word never moves anything: it only
//! saves asking for a tag that is said to point to what we hold. Any doubt, and the tag is asked for as ever.

pub(crate) mod digests;
pub(crate) mod docker_hub;
pub(crate) mod gathered;
pub(crate) mod harbor;
pub(crate) mod manifests;
pub(crate) mod page;
pub(crate) mod quay;

use std::{collections::BTreeSet, time::Duration};

use moorage_domain::{Digest, DigestListing, ExposeSecret as _, ExternalReference, Fallback, TagName};
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use self::{digests::Digests, gathered::Gathered, page::Page};
use crate::{
    Credentials, UpstreamError,
    answer::{Answer, Head},
    challenge::Challenge,
    request::Requests,
    tags::{Listing, TagPages},
    token::basic,
    transport::{Recipient, Request, sensitive},
};

/// The largest page: 100 artifacts with what Harbor knows of each.
const MAX_PAGE: usize = 8 * 1024 * 1024;
/// The longest wait for a page. Asking for each tag is not faster than that, but it does come to an end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest page that all of them have.
const PAGE_SIZE: u64 = 100;
/// Where Docker Hub's API is, beside its registry.
const DOCKER_HUB: &str = "https://hub.docker.com/";
/// Docker Hub's registry.
const DOCKER_HUB_REGISTRY: &str = "registry-1.docker.io";
/// How many artifacts there are on all pages, in Harbor's answers.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");
/// The user name that stands for a token, in Quay's.
const OAUTH_TOKEN: &str = "$oauthtoken";

/// The listing is not understood, or does not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Doubt;

/// What a registry's listing said of its tags.
#[derive(Debug, Default)]
pub struct Said(Option<Digests>);

impl Said {
    /// Whether it said that a tag points to this digest.
    pub fn that(&self, tag: &TagName, digest: &Digest) -> bool {
        self.0.as_ref().is_some_and(|digests| digests.say(tag, digest))
    }
}

/// An API that lists tags with their digests, page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    Quay,
    Harbor,
    DockerHub,
}

/// What may be asked, as whom, and by which setting.
#[derive(Debug)]
pub(crate) struct Lister {
    pub(crate) setting: DigestListing,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) reference: ExternalReference,
}

/// Why an API's listing is of no use.
#[derive(Debug, PartialEq, Eq)]
enum Useless {
    /// It would take more requests than it saves.
    Costly,
    /// It was refused or not understood.
    Refused,
}

impl From<Doubt> for Useless {
    fn from(_: Doubt) -> Self {
        Self::Refused
    }
}

impl Lister {
    /// Reads the further pages of a list of tags, and what the registry says of digests, if that takes fewer requests
    /// than the `saved` ones. The list is not read to its end where the listing has all of it, and only names that are
    /// `as before`: whatever has come or gone is for the list of tags to say.
    pub(crate) async fn list(
        &self,
        requests: &Requests,
        base: &Url,
        mut first: TagPages,
        saved: usize,
        is_as_before: impl Fn(&BTreeSet<TagName>) -> bool,
    ) -> Result<Listing, UpstreamError> {
        let meter = requests.meter();
        let (mut said, mut rest) = (None, None);
        if let Some(api) = self.api(requests, &first).await.filter(|_| !meter.falls_back(Fallback::DigestListing)) {
            match self.gather(requests, base, api, &first, saved).await {
                Ok(gathered) => {
                    rest = gathered.names.filter(|names| names.is_superset(first.tags()) && is_as_before(names));
                    said = Some(gathered.digests);
                }
                Err(Useless::Refused) => meter.fall_back([Fallback::DigestListing]),
                Err(Useless::Costly) => {}
            }
        }
        let first = match rest {
            Some(names) => {
                first.complete(names);
                first
            }
            None => first.end(requests).await?,
        };
        let (listing, beside) = first.into_listing();
        let is_wanted = matches!(self.setting, DigestListing::Auto | DigestListing::TagsList);
        match beside {
            Ok(digests) if is_wanted => said = said.or(digests),
            Err(Doubt) if is_wanted => meter.fall_back([Fallback::DigestListing]),
            Ok(_) | Err(Doubt) => {}
        }
        Ok(Listing { said: Said(said.map(Digests::end)), ..listing })
    }

    /// The API that the mirror's setting names, or that the registry has shown to be there.
    async fn api(&self, requests: &Requests, first: &TagPages) -> Option<Api> {
        match self.setting {
            DigestListing::Off | DigestListing::TagsList => None,
            DigestListing::Quay => Some(Api::Quay),
            DigestListing::Harbor => Some(Api::Harbor),
            DigestListing::DockerHub => Some(Api::DockerHub),
            DigestListing::Auto if first.has_digests() => None,
            DigestListing::Auto if self.is_at_docker_hub() => Some(Api::DockerHub),
            DigestListing::Auto => shown(&requests.challenge().await?),
        }
    }

    fn is_at_docker_hub(&self) -> bool {
        self.reference.registry().eq_ignore_ascii_case(DOCKER_HUB_REGISTRY)
    }

    /// Reads all pages of an API, as long as they are fewer than the requests that they save.
    async fn gather(
        &self,
        requests: &Requests,
        base: &Url,
        api: Api,
        first: &TagPages,
        saved: usize,
    ) -> Result<Gathered, Useless> {
        let expected = if first.is_whole() { first.tags().len() } else { first.tags().len().max(saved) };
        let saved = u64::try_from(saved).unwrap_or(u64::MAX);
        if saved <= (expected as u64).div_ceil(PAGE_SIZE) {
            return Err(Useless::Costly);
        }
        let mut gathered = Gathered::new(!first.is_whole());
        for number in 1..saved {
            let url = self.address(api, base, number).ok_or(Useless::Refused)?;
            let answer = tokio::time::timeout(PATIENCE, self.ask(requests, api, url, number)).await;
            let Ok(Ok(answer)) = answer else { return Err(Useless::Refused) };
            let page = self.page(api, &answer, number)?;
            if page.total.is_some_and(|total| total.div_ceil(PAGE_SIZE) >= saved) {
                return Err(Useless::Costly);
            }
            if gathered.take(page)? {
                return Ok(gathered);
            }
        }
        Err(Useless::Costly)
    }

    /// Where a page is.
    fn address(&self, api: Api, base: &Url, number: u64) -> Option<Url> {
        let repository = self.reference.repository();
        let (namespace, name) = repository.split_once('/')?;
        let mut url = match api {
            Api::DockerHub if self.is_at_docker_hub() => Url::parse(DOCKER_HUB).ok()?,
            Api::DockerHub | Api::Quay | Api::Harbor => base.clone(),
        };
        {
            let mut path = url.path_segments_mut().ok()?;
            path.clear();
            match api {
                Api::Quay => path.extend(["api", "v1", "repository"]).extend(repository.split('/')).extend(["tag", ""]),
                // Its router undoes one encoding before the path is split.
                Api::Harbor => path
                    .extend(["api", "v2.0", "projects", namespace, "repositories"])
                    .extend([name.replace('/', "%2F").as_str(), "artifacts"]),
                Api::DockerHub => path.extend(["v2", "namespaces", namespace, "repositories", name, "tags"]),
            };
        }
        let size = PAGE_SIZE.to_string();
        let parameters = match api {
            Api::Quay => vec![("onlyActiveTags", "true"), ("limit", size.as_str())],
            Api::Harbor => vec![("page_size", size.as_str()), ("with_tag", "true")],
            Api::DockerHub => vec![("page_size", size.as_str())],
        };
        url.query_pairs_mut().extend_pairs(parameters).append_pair("page", &number.to_string());
        Some(url)
    }

    /// Asks for a page. The first one is asked for once: whether there is such an API is only to be found out.
    async fn ask(&self, requests: &Requests, api: Api, url: Url, number: u64) -> Result<Answer, UpstreamError> {
        let headers = HeaderMap::from_iter(self.authorization(api).map(|value| (AUTHORIZATION, value)));
        // What Docker Hub's API says of its limits is not its registry's word.
        let is_registry = api != Api::DockerHub || !self.is_at_docker_hub();
        let to = if is_registry { Recipient::Registry } else { Recipient::TokenServer { is_registry } };
        let request = Request { method: Method::GET, url, headers, body: None, to };
        if number == 1 {
            requests.http.fetch_once(&request, MAX_PAGE).await
        } else {
            requests.http.fetch(&request, MAX_PAGE, "a page of the tags").await
        }
    }

    /// Who asks: a registry's password is not a token of Quay's API, and Docker Hub's API is not its registry.
    fn authorization(&self, api: Api) -> Option<HeaderValue> {
        let credentials = self.credentials.as_ref()?;
        match api {
            Api::Quay if credentials.username == OAUTH_TOKEN => {
                sensitive(&format!("Bearer {}", credentials.password.expose_secret()))
            }
            Api::Harbor => basic(credentials),
            Api::Quay | Api::DockerHub => None,
        }
    }

    fn page(&self, api: Api, answer: &Answer, number: u64) -> Result<Page, Doubt> {
        if answer.head.status != StatusCode::OK || !answer.head.is_own {
            return Err(Doubt);
        }
        match api {
            Api::Quay => quay::page(&answer.body, number),
            Api::Harbor => harbor::page(&answer.body, &self.reference.repository(), total(&answer.head)?),
            Api::DockerHub => docker_hub::page(&answer.body),
        }
    }
}

/// Which API a registry has, by where it has us log in.
fn shown(challenge: &Challenge) -> Option<Api> {
    let Challenge::Bearer { realm, service, .. } = challenge else { return None };
    let realm = Url::parse(realm).ok()?;
    match (realm.path(), service.as_deref()) {
        ("/v2/auth", _) => Some(Api::Quay),
        ("/service/token", Some("harbor-registry")) => Some(Api::Harbor),
        _ => None,
    }
}

/// How many artifacts Harbor has.
fn total(head: &Head) -> Result<Option<u64>, Doubt> {
    let Some(total) = head.headers.get(TOTAL) else { return Ok(None) };
    total.to_str().ok().and_then(|total| total.parse().ok()).map(Some).ok_or(Doubt)
}
