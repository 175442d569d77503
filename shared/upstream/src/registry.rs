//! What can be asked of the external registry.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use bytes::Bytes;
use moorage_domain::{
    Digest, DigestListing, ExternalReference, MediaType, TagName, manifest::MAX_MANIFEST_SIZE, referrers::Referrer,
};
use reqwest::{
    Method,
    header::{ACCEPT, HeaderMap, HeaderName, HeaderValue},
};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    BlobReader, Listing, Settings, UpstreamError,
    answer::{Answer, SMALL},
    auth::Auth,
    listing::Lister,
    referrers,
    request::{Http, Requests},
    tags::TagPages,
    transport::{Recipient, Request, Transport},
};

/// The digest of a manifest (distribution-spec v1.1.1).
const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// What is read of the answer to `/v2/`, which says only whether https is spoken.
const MAX_PING_BODY: usize = 16 * 1024;

/// One repository of an external registry. Clones share connections, tokens and limits.
#[derive(Debug, Clone)]
pub struct Registry {
    requests: Arc<Requests>,
    reference: Arc<ExternalReference>,
    lister: Arc<Lister>,
    verify_tls: bool,
    /// The registry's address with its scheme; found out once where plain http is allowed.
    base: Arc<OnceCell<Url>>,
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
        let transport = Transport::new(&settings)?;
        let (setting, credentials) = (DigestListing::default(), settings.credentials.clone());
        let lister = Arc::new(Lister { setting, credentials, reference: reference.clone() });
        let auth = Auth::new(
            settings.credentials,
            settings.token_realms,
            format!("repository:{}:pull", reference.repository()),
        );
        let requests = Arc::new(Requests::new(Http::new(transport, settings.limits, settings.meter), auth));
        let (reference, base) = (Arc::new(reference), Arc::new(OnceCell::new()));
        Ok(Self { requests, reference, lister, verify_tls: settings.verify_tls, base })
    }

    /// The same registry, with the mirror's setting of where it says digests.
    #[must_use]
    pub fn with_digest_listing(self, setting: DigestListing) -> Self {
        let (credentials, reference) = (self.lister.credentials.clone(), self.lister.reference.clone());
        Self { lister: Arc::new(Lister { setting, credentials, reference }), ..self }
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

    /// What a tag points to, by HEAD, which no registry counts as a pull. Where the answer lacks the digest, or HEAD
    /// is not known, by GET.
    pub async fn resolve(&self, tag: &TagName) -> Result<Resolved, UpstreamError> {
        let url = self.url(&format!("manifests/{tag}")).await?;
        let head = self.requests.fetch(Method::HEAD, &url, accept(), MAX_MANIFEST_SIZE, "a manifest").await?;
        if head.head.status.is_success() {
            if let Some(digest) = digest_header(&head) {
                return Ok(Resolved { digest, manifest: None });
            }
        } else if !matches!(head.head.status.as_u16(), 405 | 501) {
            return Err(head.into_error(&url));
        }
        let bytes = self.get_manifest(&url).await?;
        let digest = Digest::sha256(&bytes);
        // A large one is fetched again when it is its turn: many tags are resolved before the first is copied.
        let manifest = Some(bytes).filter(|bytes| bytes.len() <= SMALL);
        Ok(Resolved { digest, manifest })
    }

    /// What refers to a manifest; nothing if the registry has no referrers API.
    pub async fn referrers(&self, subject: &Digest) -> Result<Option<Vec<Referrer>>, UpstreamError> {
        referrers::list(&self.requests, self.url(&format!("referrers/{subject}")).await?).await
    }

    /// A manifest, exactly as the registry has it, checked against its digest.
    pub async fn manifest(&self, digest: &Digest) -> Result<Bytes, UpstreamError> {
        let bytes = self.get_manifest(&self.url(&format!("manifests/{digest}")).await?).await?;
        if Digest::of(digest.algorithm(), &bytes) == *digest {
            Ok(bytes)
        } else {
            Err(UpstreamError::DigestMismatch(digest.clone()))
        }
    }

    /// A blob of `size` bytes, from `offset` on.
    pub async fn blob(&self, digest: &Digest, size: u64, offset: u64) -> Result<BlobReader, UpstreamError> {
        let url = self.url(&format!("blobs/{digest}")).await?;
        BlobReader::open(Arc::clone(&self.requests), url, digest.clone(), size, offset..size).await
    }

    /// A part of a blob of `size` bytes; nothing if the registry does not know parts.
    pub async fn blob_part(
        &self,
        digest: &Digest,
        size: u64,
        range: Range<u64>,
    ) -> Result<Option<BlobReader>, UpstreamError> {
        let url = self.url(&format!("blobs/{digest}")).await?;
        let reader = BlobReader::open(Arc::clone(&self.requests), url, digest.clone(), size, range).await?;
        Ok(Some(reader).filter(BlobReader::is_part))
    }

    async fn get_manifest(&self, url: &Url) -> Result<Bytes, UpstreamError> {
        let _fetching = self.requests.meter().fetching().await?;
        let answer = self.requests.fetch(Method::GET, url, accept(), MAX_MANIFEST_SIZE, "the manifest").await?;
        if answer.head.status.is_success() { Ok(answer.body) } else { Err(answer.into_error(url)) }
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
