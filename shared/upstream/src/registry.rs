//! What can be asked of the external registry.

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use moorage_domain::{
    Algorithm, Digest, DigestListing, ExternalReference, Fallback, MediaType, TagName, manifest::MAX_MANIFEST_SIZE,
};
use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, HeaderMap, HeaderName, HeaderValue},
};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    BlobReader, Listing, Settings, UpstreamError,
    answer::{Answer, SMALL},
    auth::Auth,
    blob::Way,
    http::{How, Http},
    listing::lister::Lister,
    referrers::{self, Referrers},
    request::Requests,
    tags::TagPages,
    transport::{Recipient, Request, Transport},
};

/// The digest of a manifest (distribution-spec v1.1.1).
const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// What is read of the answer to `/v2/`, which says only whether https is spoken.
const MAX_PING_BODY: usize = 16 * 1024;

/// How often HEAD is tried before GET decides.
const HEAD_TRIES: u32 = 2;
/// Of how many tags in a row HEAD must not tell what GET does, before it is the registry that does not answer it so. Of one
/// less, where it has told of none yet.
const MAX_HEADLESS: u32 = 3;

/// One repository of an external registry. Clones share connections, tokens and limits.
#[derive(Debug, Clone)]
pub struct Registry {
    requests: Arc<Requests>,
    reference: Arc<ExternalReference>,
    lister: Arc<Lister>,
    verify_tls: bool,
    /// The registry's address with its scheme; found out once where plain http is allowed.
    base: Arc<OnceCell<Url>>,
    /// Of how many tags in a row only GET told what they point to.
    headless: Arc<AtomicU32>,
}

/// What a tag points to.
#[derive(Debug)]
pub struct Resolved {
    /// The manifest's digest.
    pub digest: Digest,
    /// The manifest, where the digest could not be had without it, and it is not large.
    pub manifest: Option<Bytes>,
}

impl Registry {
    /// Opens a registry. Nothing is sent yet.
    pub fn new(reference: ExternalReference, settings: Settings) -> Result<Self, UpstreamError> {
        let transport = Transport::new(&settings, settings.meter.clone())?;
        let (setting, credentials) = (DigestListing::default(), settings.credentials.clone());
        let lister = Arc::new(Lister::new(setting, credentials, reference.clone()));
        let auth = Auth::new(
            settings.credentials,
            settings.token_realms,
            format!("repository:{}:pull", reference.repository()),
        );
        let requests = Arc::new(Requests::new(Http::new(transport, settings.limits, settings.meter), auth));
        let (reference, base, headless) = (Arc::new(reference), Arc::default(), Arc::new(AtomicU32::new(1)));
        Ok(Self { requests, reference, lister, verify_tls: settings.verify_tls, base, headless })
    }

    /// The same registry, with the mirror's setting of where it says digests.
    #[must_use]
    pub fn with_digest_listing(self, setting: DigestListing) -> Self {
        let (credentials, reference) = (self.lister.credentials.clone(), self.lister.reference.clone());
        Self { lister: Arc::new(Lister::new(setting, credentials, reference)), ..self }
    }

    /// Notes that the registry has no listing which would have to be tried for: one that it shows is asked all the same.
    pub fn expect_no_listing(&self) {
        self.lister.found_none();
    }

    /// Whether the registry has told by HEAD what tags point to, has not asked who asks, and has a connection for each
    /// request: of HTTP/2 there is to be one for all, which has to be there first.
    pub async fn heads_for_all(&self) -> bool {
        let heads = self.headless.load(Relaxed) == 0 && !self.requests.http.transport.has_spoken_http2();
        heads && self.requests.challenge().await.is_none()
    }

    /// Whether all listings that say digests were tried in vain, and none only for now.
    pub fn has_no_listing(&self) -> bool {
        self.lister.has_none_for_good()
    }

    /// Finds out which listing says digests, for the next time, where [`Self::all_tags`] had no use for one and nothing
    /// tells which there is. Nothing else waits for that.
    pub async fn look_for_listing(&self) {
        if let Some(base) = self.base.get() {
            self.lister.look(&self.requests, base).await;
        }
    }

    /// All tags, from all pages.
    pub async fn tags(&self) -> Result<Listing, UpstreamError> {
        Ok(self.first_tags().await?.end(&self.requests).await?.into_listing().0)
    }

    /// The first page of the tags.
    pub async fn first_tags(&self) -> Result<TagPages, UpstreamError> {
        TagPages::begin(&self.requests, &self.url("tags/list").await?, &self.reference.repository()).await
    }

    /// All tags, and what the registry says of what they point to, if that costs fewer requests than the `saved` ones
    /// that it would take to ask. The registry's list of tags is not read to its end where a listing that says digests
    /// has all of them, and `is_as_before` finds no other names among them than there were.
    pub async fn all_tags(
        &self,
        first: TagPages,
        saved: usize,
        is_as_before: impl Fn(&BTreeSet<TagName>) -> bool,
    ) -> Result<Listing, UpstreamError> {
        let base = self.base.get_or_try_init(|| self.find_base()).await?;
        self.lister.list(&self.requests, base, first, saved, is_as_before).await
    }

    /// What a tag points to, by HEAD, which no registry counts as a pull. Where that does not tell, by GET; and if that
    /// does for several, only by GET from then on. Whether the registry wants to be left alone, or somebody else to ask,
    /// GET tells, too.
    pub async fn resolve(&self, tag: &TagName) -> Result<Resolved, UpstreamError> {
        let meter = self.requests.meter();
        if meter.falls_back(Fallback::Head) {
            return self.read(tag).await;
        }
        let url = self.url(&format!("manifests/{tag}")).await?;
        let (how, limit) = (How::trial(HEAD_TRIES), (MAX_MANIFEST_SIZE, "a manifest"));
        match self.requests.fetch_so((Method::HEAD, &url, accept()), how, limit).await {
            Ok(answer) if answer.head.status.is_success() => {
                if let Some(digest) = self.headed(&answer) {
                    return Ok(Resolved { digest, manifest: None });
                }
            }
            Ok(_) => {}
            Err(error) if error.may_be_of_the_way() => {}
            Err(error) => return Err(error),
        }
        meter.pass(self.requests.http.limits.max_wait).await?;
        let resolved = self.read(tag).await?;
        if self.headless.fetch_add(1, Relaxed).saturating_add(1) >= MAX_HEADLESS {
            meter.fall_back([Fallback::Head]);
        }
        Ok(resolved)
    }

    /// What a tag points to, if one HEAD says so, for which nobody logs in: whatever else there is to it, [`Self::resolve`]
    /// finds out.
    pub async fn glance(&self, tag: &TagName) -> Option<Digest> {
        let url = self.url(&format!("manifests/{tag}")).await.ok()?;
        self.headed(&self.requests.glance(&url, accept()).await?)
    }

    /// The digest that an answer to HEAD tells, if it does.
    fn headed(&self, answer: &Answer) -> Option<Digest> {
        let digest = digest_header(answer).filter(|digest| digest.algorithm() == Algorithm::Sha256);
        if digest.is_some() {
            self.headless.store(0, Relaxed);
        }
        digest
    }

    /// What a tag points to, by GET: the digest is that of what comes.
    pub async fn read(&self, tag: &TagName) -> Result<Resolved, UpstreamError> {
        let bytes = self.by_tag(tag).await?;
        let digest = Digest::sha256(&bytes);
        // A large one is fetched again when it is its turn: many tags are resolved before the first is copied.
        let manifest = Some(bytes).filter(|bytes| bytes.len() <= SMALL);
        Ok(Resolved { digest, manifest })
    }

    /// What refers to a manifest; nothing if the registry has no referrers API.
    pub async fn referrers(&self, subject: &Digest) -> Result<Option<Referrers>, UpstreamError> {
        referrers::list(&self.requests, self.url(&format!("referrers/{subject}")).await?).await
    }

    /// A manifest, exactly as the registry has it, checked against its digest. One that a `tag` names is asked for by that
    /// where the registry does not know it by its digest.
    pub async fn manifest(&self, digest: &Digest, tag: Option<&TagName>) -> Result<Bytes, UpstreamError> {
        let (meter, is_it) = (self.requests.meter(), |bytes: &Bytes| Digest::of(digest.algorithm(), bytes) == *digest);
        if let Some(tag) = tag.filter(|_| meter.falls_back(Fallback::ManifestByDigest))
            && let Ok(bytes) = self.by_tag(tag).await
            && is_it(&bytes)
        {
            return Ok(bytes);
        }
        let url = self.url(&format!("manifests/{digest}")).await?;
        let error = match self.get_manifest(&url, |_| Some(digest.clone())).await {
            Err(
                error @ (UpstreamError::NotFound(_)
                | UpstreamError::NotFoundElsewhere { .. }
                | UpstreamError::Status { .. }
                | UpstreamError::Auth(_)),
            ) => error,
            result => return result,
        };
        let Some(tag) = tag else { return Err(error) };
        match self.by_tag(tag).await {
            Ok(bytes) if is_it(&bytes) => {
                meter.fall_back([Fallback::ManifestByDigest]);
                Ok(bytes)
            }
            Err(limited @ UpstreamError::RateLimited { .. }) => Err(limited),
            Ok(_) | Err(_) => Err(error),
        }
    }

    /// A blob of `size` bytes, from `offset` on.
    pub async fn blob(&self, digest: &Digest, size: u64, offset: u64) -> Result<BlobReader, UpstreamError> {
        self.reader(digest, size, offset..size, Way::Any).await
    }

    /// As [`Self::blob`], without asking for a part: all of it comes, and what is before the offset is passed over.
    pub async fn whole_blob(&self, digest: &Digest, size: u64, offset: u64) -> Result<BlobReader, UpstreamError> {
        self.reader(digest, size, offset..size, Way::Whole).await
    }

    /// Remembers that parts of blobs do not come, or not as they should: none is asked for any more in this run.
    pub fn sends_no_parts(&self) {
        self.requests.meter().fall_back([Fallback::Range]);
    }

    /// A part of a blob of `size` bytes; nothing if the registry sends none.
    pub async fn blob_part(
        &self,
        digest: &Digest,
        size: u64,
        range: Range<u64>,
    ) -> Result<Option<BlobReader>, UpstreamError> {
        if self.requests.meter().falls_back(Fallback::Range) {
            return Ok(None);
        }
        match self.reader(digest, size, range, Way::Part).await {
            Err(UpstreamError::NoPart(_)) => Ok(None),
            reader => reader.map(Some),
        }
    }

    /// A number that grows as long as anything happens with the registry.
    pub fn activity(&self) -> u64 {
        self.requests.meter().activity()
    }

    /// `http` or `https`, where either would do and it was found out.
    pub fn scheme(&self) -> Option<String> {
        self.base.get().filter(|_| !self.verify_tls).map(|base| base.scheme().to_owned())
    }

    /// Speaks what was found out before, where either would do.
    pub fn assume_scheme(&self, scheme: &str) {
        let base = Url::parse(&format!("{scheme}://{}/", self.reference.registry()));
        if let (false, "http" | "https", Ok(base)) = (self.verify_tls, scheme, base) {
            // What is found out now counts more.
            let _known = self.base.set(base);
        }
    }

    async fn reader(
        &self,
        digest: &Digest,
        size: u64,
        range: Range<u64>,
        way: Way,
    ) -> Result<BlobReader, UpstreamError> {
        let url = self.url(&format!("blobs/{digest}")).await?;
        BlobReader::open(Arc::clone(&self.requests), url, digest.clone(), size, range, way).await
    }

    async fn by_tag(&self, tag: &TagName) -> Result<Bytes, UpstreamError> {
        self.get_manifest(&self.url(&format!("manifests/{tag}")).await?, digest_header).await
    }

    /// A manifest that has the digest which the answer should have, if any. If not, it is fetched once more.
    async fn get_manifest(
        &self,
        url: &Url,
        wanted: impl Fn(&Answer) -> Option<Digest>,
    ) -> Result<Bytes, UpstreamError> {
        let mut is_second = false;
        loop {
            let how = self.requests.http.usual().fresh(is_second);
            let answer = self.try_manifest(url, how).await?;
            match wanted(&answer).filter(|digest| Digest::of(digest.algorithm(), &answer.body) != *digest) {
                None => return Ok(answer.body),
                Some(digest) if is_second => return Err(UpstreamError::DigestMismatch(digest)),
                Some(_) => is_second = true,
            }
        }
    }

    async fn try_manifest(&self, url: &Url, how: How) -> Result<Answer, UpstreamError> {
        let _fetching = self.requests.meter().fetching().await?;
        let limit = (MAX_MANIFEST_SIZE, "the manifest");
        let mut answer = self.requests.fetch_so((Method::GET, url, accept()), how, limit).await?;
        if answer.head.status == StatusCode::NOT_ACCEPTABLE {
            // Some do not understand so many types, and have no other one than that which is there.
            let any = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("*/*"))]);
            answer = self.requests.fetch_so((Method::GET, url, any), how, limit).await?;
        }
        if answer.head.status.is_success() { Ok(answer) } else { Err(answer.into_error(url)) }
    }

    async fn url(&self, what: &str) -> Result<Url, UpstreamError> {
        let base = self.base.get_or_try_init(|| self.find_base()).await?;
        let malformed = |_| UpstreamError::Protocol(format!("{} makes no URL", self.reference));
        base.join(&format!("/v2/{}/{what}", self.reference.repository())).map_err(malformed)
    }

    /// https; and where certificates are not verified, http if https cannot be spoken, as skopeo does it.
    async fn find_base(&self) -> Result<Url, UpstreamError> {
        let base = |scheme: &str| {
            let malformed = |_| UpstreamError::Protocol(format!("{} makes no URL", self.reference));
            Url::parse(&format!("{scheme}://{}/", self.reference.registry())).map_err(malformed)
        };
        let https = base("https")?;
        if self.verify_tls {
            return Ok(https);
        }
        let ping = |base: &Url| {
            let malformed = |_| UpstreamError::Protocol(format!("{} makes no URL", self.reference));
            let url = base.join("/v2/").map_err(malformed)?;
            let (method, headers, to) = (Method::GET, HeaderMap::new(), Recipient::Registry);
            Ok::<_, UpstreamError>(Request { method, url, headers, body: None, to })
        };
        match self.requests.http.fetch_once(&ping(&https)?, MAX_PING_BODY).await {
            Ok(_) => Ok(https),
            Err(UpstreamError::Tls { .. } | UpstreamError::Connection { .. }) => base("http"),
            Err(error) => Err(error),
        }
    }
}

/// All manifests that we can store. Registries choose by it, and some convert where it is missing.
fn accept() -> HeaderMap {
    let accept = MediaType::ALL.map(MediaType::as_str).join(", ");
    HeaderMap::from_iter(HeaderValue::from_str(&accept).ok().map(|accept| (ACCEPT, accept)))
}

fn digest_header(answer: &Answer) -> Option<Digest> {
    answer.head.headers.get(DOCKER_CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}
