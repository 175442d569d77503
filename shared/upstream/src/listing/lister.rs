//! Asks a registry's API for what its tags point to, if that takes fewer requests than it saves.

use std::{
    collections::BTreeSet,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use moorage_domain::{Credentials, DigestListing, ExposeSecret as _, ExternalReference, Fallback, TagName};
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use crate::{
    UpstreamError,
    answer::{Answer, Head},
    challenge::Challenge,
    listing::{Doubt, PAGE_SIZE, Said, digests::Digests, docker_hub, gathered::Gathered, harbor, page::Page, quay},
    request::Requests,
    retry::is_transient,
    tags::{Listing, TagPages},
    token::basic,
    transport::{Recipient, Request, sensitive},
};

/// The largest page: 100 artifacts with what Harbor knows of each.
const MAX_PAGE: usize = 8 * 1024 * 1024;
/// The longest wait for a page. Asking for each tag is not faster than that, but it does come to an end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest wait for one that nobody has spoken of: where there is none, that is said at once.
const PROBE_PATIENCE: Duration = Duration::from_secs(15);
/// From how many requests on that would be saved all APIs are tried: what is asked in vain is little beside so many.
const MANY: usize = 50;
/// The APIs that are tried where nothing tells which one there is: a registry that needs no login shows none.
const TRIED: [Api; 3] = [Api::Quay, Api::Harbor, Api::DockerHub];
/// Where Docker Hub's API is, beside its registry.
const DOCKER_HUB: &str = "https://hub.docker.com/";
/// Docker Hub's registry.
const DOCKER_HUB_REGISTRY: &str = "registry-1.docker.io";
/// How many artifacts there are on all pages, in Harbor's answers.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");
/// The user name that stands for a token, in Quay's.
const OAUTH_TOKEN: &str = "$oauthtoken";

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
    /// The API that was found by trying them all, if one was.
    found: OnceLock<Option<Api>>,
    /// Whether it is still to be found out for the next time.
    is_sought: AtomicBool,
    /// Whether one of them may be there all the same: it was not answered, or only for now.
    is_unsure: AtomicBool,
}

/// Why an API's listing is of no use.
#[derive(Debug, PartialEq, Eq)]
enum Useless {
    /// It would take more requests than it saves.
    Costly,
    /// It was only tried, and is not there.
    Absent,
    /// It was refused or not understood, or says of nothing what it points to.
    Refused,
}

impl From<Doubt> for Useless {
    fn from(_: Doubt) -> Self {
        Self::Refused
    }
}

impl Lister {
    pub(crate) fn new(setting: DigestListing, credentials: Option<Credentials>, reference: ExternalReference) -> Self {
        let (found, is_sought, is_unsure) = (OnceLock::new(), AtomicBool::new(false), AtomicBool::new(false));
        Self { setting, credentials, reference, found, is_sought, is_unsure }
    }

    /// Reads the further pages of a list of tags, and what the registry says of digests, if that takes fewer requests
    /// than the `saved` ones. The list is not read to its end where the listing has all of it, and only names that are
    /// `as before`: whatever has come or gone is for the list of tags to say. A listing that the mirror asks for, or that
    /// the registry has, and that is of no use is a fallback.
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
        match self.ask_apis(requests, base, &first, saved).await {
            Ok(gathered) => {
                rest = gathered.names.filter(|names| names.is_superset(first.tags()) && is_as_before(names));
                said = Some(gathered.digests);
            }
            Err(Useless::Refused) => meter.fall_back([Fallback::DigestListing]),
            Err(Useless::Costly | Useless::Absent) => {}
        }
        let first = match rest {
            Some(names) => {
                first.complete(names);
                first
            }
            None => first.end(requests).await?,
        };
        let (listing, beside) = first.into_listing();
        meter.invalid_tags(listing.invalid);
        let is_wanted = match self.setting {
            // Most registries' lists have no map, and nobody asked for one.
            DigestListing::Auto => !matches!(beside, Ok(None)),
            DigestListing::TagsList => true,
            DigestListing::Off | DigestListing::Quay | DigestListing::Harbor | DigestListing::DockerHub => false,
        };
        if is_wanted {
            let map = beside.ok().flatten().map(Digests::end).filter(|map| map.are_of_use(&listing.tags));
            if map.is_none() && !listing.tags.is_empty() {
                meter.fall_back([Fallback::DigestListing]);
            }
            said = said.or(map);
        }
        Ok(Listing { said: Said(said), ..listing })
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
            // One that shows what it has shows that with its first refusal, and was not found to have none.
            DigestListing::Auto if self.has_none() => None,
            DigestListing::Auto => {
                let shown = requests.challenge().await.as_ref().and_then(shown);
                shown.or_else(|| self.found.get().copied().flatten())
            }
        }
    }

    /// What the registry's API says; where none is known, that of the first one which answers understandably, if that
    /// may save much. They are tried once.
    async fn ask_apis(
        &self,
        requests: &Requests,
        base: &Url,
        first: &TagPages,
        saved: usize,
    ) -> Result<Gathered, Useless> {
        if requests.meter().falls_back(Fallback::DigestListing) {
            return Err(Useless::Absent);
        }
        if let Some(api) = self.api(requests, first).await {
            return self.gather(requests, base, (api, false), first, saved).await;
        }
        let is_auto = self.setting == DigestListing::Auto && !first.has_digests();
        if !is_auto || self.found.get().is_some() || saved.max(first.tags().len()) < MANY {
            return Err(Useless::Absent);
        }
        if saved < MANY {
            self.is_sought.store(true, Relaxed);
            return Err(Useless::Absent);
        }
        for api in TRIED {
            let gathered = self.gather(requests, base, (api, true), first, saved).await;
            if !matches!(gathered, Err(Useless::Absent)) {
                self.found.get_or_init(|| Some(api));
                return gathered;
            }
        }
        self.found_none();
        Err(Useless::Absent)
    }

    /// Finds out which API is there, for the next time, where most of many tags are new: all are asked at once.
    pub(crate) async fn look(&self, requests: &Requests, base: &Url) {
        if !self.is_sought.swap(false, Relaxed) {
            return;
        }
        let is_there = async |api| {
            let page = self.get(requests, base, (api, true), 1).await;
            page.is_ok_and(|page| !page.tags.is_empty()).then_some(api)
        };
        let [first, second, third] = TRIED.map(is_there);
        let (first, second, third) = tokio::join!(first, second, third);
        self.found.get_or_init(|| first.or(second).or(third));
    }

    /// Notes that no API is there.
    pub(crate) fn found_none(&self) {
        self.found.get_or_init(|| None);
    }

    /// Whether none was found: none is tried any more in this run.
    fn has_none(&self) -> bool {
        self.found.get() == Some(&None)
    }

    /// Whether none is there, for longer than this run: each of them was answered for good.
    pub(crate) fn has_none_for_good(&self) -> bool {
        self.has_none() && !self.is_unsure.load(Relaxed)
    }

    fn is_at_docker_hub(&self) -> bool {
        self.reference.registry().eq_ignore_ascii_case(DOCKER_HUB_REGISTRY)
    }

    /// Reads all pages of an API, as long as they are fewer than the requests that they save. One that is only tried is
    /// there if its first page shows a tag.
    async fn gather(
        &self,
        requests: &Requests,
        base: &Url,
        (api, is_trial): (Api, bool),
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
            let is_trial = is_trial && number == 1;
            let page = match self.get(requests, base, (api, is_trial), number).await {
                Ok(page) if is_trial && page.tags.is_empty() => return Err(Useless::Absent),
                Err(Doubt) if is_trial => return Err(Useless::Absent),
                page => page?,
            };
            if page.total.is_some_and(|total| total.div_ceil(PAGE_SIZE) >= saved) {
                return Err(Useless::Costly);
            }
            if gathered.take(page)? {
                return Ok(gathered.end(first.tags())?);
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

    /// Asks for a page, and reads it. Of one that is only tried one answer is enough.
    async fn get(
        &self,
        requests: &Requests,
        base: &Url,
        (api, is_trial): (Api, bool),
        number: u64,
    ) -> Result<Page, Doubt> {
        let request = self.request(api, self.address(api, base, number).ok_or(Doubt)?, number);
        let http = &requests.http;
        let answer = if is_trial {
            tokio::time::timeout(PROBE_PATIENCE, http.fetch_once(&request, MAX_PAGE)).await
        } else {
            tokio::time::timeout(PATIENCE, http.fetch(&request, MAX_PAGE, "a page of the tags")).await
        };
        let answer = answer.ok().and_then(Result::ok);
        if is_trial && answer.as_ref().is_none_or(|answer| is_transient(answer.head.status)) {
            self.is_unsure.store(true, Relaxed);
        }
        self.page(api, &answer.ok_or(Doubt)?, number)
    }

    fn request(&self, api: Api, url: Url, number: u64) -> Request {
        let headers = HeaderMap::from_iter(self.authorization(api).map(|value| (AUTHORIZATION, value)));
        // What Docker Hub's API says of its limits is not its registry's word; and neither is what is refused of an API
        // that has not answered yet, as some do without a login.
        let is_registry = number > 1 && !(api == Api::DockerHub && self.is_at_docker_hub());
        let to = if is_registry { Recipient::Registry } else { Recipient::TokenServer { is_registry } };
        Request { method: Method::GET, url, headers, body: None, to }
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
