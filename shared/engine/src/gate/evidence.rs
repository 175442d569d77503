//! What is attached to an image and may be a signature of it: looked for, piece by piece, and judged.

use std::collections::BTreeMap;

use bytes::Bytes;
use moorage_domain::{
    Digest, FailureReason, TagName, Timestamp,
    manifest::{Content, Descriptor, Manifest},
    referrers::{Referrer, ReferrerList, parse, referrers_tag, signatures_tag, subject},
    signature_policy::{Format, SignaturePolicy, Verdict},
};
use moorage_signatures::{Evidence, Judge, MAX_CANDIDATE, MAX_CANDIDATES, MAX_PAYLOAD, Trust};
use moorage_state::now;
use moorage_upstream::{Referrers, UpstreamError};

use crate::error::WorkError;

/// What the artifact types of bundles begin with: the rest is their version, in one of two ways.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// The annotation in which cosign says what a bundle's statement is.
const PREDICATE: &str = "dev.sigstore.bundle.predicateType";

/// Where evidence comes from.
pub(crate) trait Library {
    /// What refers to an image; nothing if the registry has no such list.
    async fn referrers(&self, image: &Digest) -> Result<Option<Referrers>, UpstreamError>;
    /// What a tag points to; nothing if the registry says that there is no such tag.
    async fn named(&self, tag: &TagName) -> Result<Option<(Digest, Bytes)>, WorkError>;
    /// A manifest.
    async fn manifest(&self, digest: &Digest) -> Result<Bytes, WorkError>;
    /// A blob, of [`MAX_CANDIDATE`] bytes at most.
    async fn blob(&self, blob: &Descriptor) -> Result<Bytes, WorkError>;
}

/// Where a piece of evidence was found.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// It refers to the image.
    Referrer(Referrer),
    /// It is what a tag points to.
    Tag(TagName, Digest),
}

/// What a policy finds of an image.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// What the verdict rests on.
    pub(crate) evidence: Vec<Found>,
    /// The tags that it was found by.
    pub(crate) lists: Vec<TagName>,
    /// When somebody may be asked again who did not answer.
    pub(crate) until: Option<Timestamp>,
}

impl Judged {
    /// Nobody can say.
    pub(crate) fn unavailable(detail: String) -> Self {
        let (evidence, lists) = (Vec::new(), Vec::new());
        Self { verdict: Verdict::Unavailable { detail }, evidence, lists, until: None }
    }
}

/// Judges a tag's image; nothing if the policy does not ask.
pub(crate) async fn judge(
    policy: &SignaturePolicy,
    (tag, image): (&TagName, &Digest),
    trust: &Trust,
    library: &impl Library,
) -> Result<Option<Judged>, WorkError> {
    let Some(judge) = Judge::new(policy, tag, image, trust, now()) else { return Ok(None) };
    let mut search =
        Search { judge, image, library, found: BTreeMap::new(), lacks: None, until: None, lists: Vec::new() };
    if policy.takes(Format::Bundle) {
        search.bundles(policy).await?;
    }
    if policy.takes(Format::Simple) && !search.judge.is_verified() {
        search.simple().await?;
    }
    Ok(Some(search.end()))
}

/// A search under way.
struct Search<'a, L> {
    judge: Judge<'a>,
    image: &'a Digest,
    library: &'a L,
    /// By the digest of what was judged.
    found: BTreeMap<Digest, Found>,
    /// What could not be had, of which nobody knows what it is.
    lacks: Option<String>,
    /// When it may be asked for again, if the registry says so.
    until: Option<Timestamp>,
    /// Tags that stand for lists, which the registry need not list itself.
    lists: Vec<TagName>,
}

impl<L: Library> Search<'_, L> {
    /// Bundles that refer to the image. Those that say of themselves what is asked for come first: a repository may have
    /// hundreds of others.
    async fn bundles(&mut self, policy: &SignaturePolicy) -> Result<(), WorkError> {
        let mut bundles = self.referrers().await?;
        let is_bundle = |referrer: &Referrer| referrer.artifact_type.as_ref().is_some_and(|it| it.starts_with(BUNDLE));
        bundles.retain(is_bundle);
        let says = |referrer: &Referrer| {
            let predicate = referrer.annotations.as_ref().and_then(|all| all.get(PREDICATE));
            predicate.is_some_and(|predicate| policy.asks_for(predicate))
        };
        bundles.sort_by_key(|referrer| !says(referrer));
        let more = bundles.len().saturating_sub(MAX_CANDIDATES);
        for referrer in bundles.into_iter().take(MAX_CANDIDATES) {
            if self.judge.is_verified() {
                return Ok(());
            }
            self.bundle(referrer).await?;
        }
        if more > 0 {
            self.judge.leave_out(Format::Bundle);
        }
        Ok(())
    }

    /// What refers to the image; where the registry has no such list, by the tag that stands for it (distribution-spec
    /// v1.1.1, "Referrers Tag Schema").
    async fn referrers(&mut self) -> Result<Vec<Referrer>, WorkError> {
        match self.library.referrers(self.image).await {
            Ok(Some(Referrers { list, cut })) => {
                if let Some(error) = cut {
                    self.lacks("the list of what refers to it", &error.to_string());
                }
                Ok(list.referrers)
            }
            Ok(None) => {
                let tag = referrers_tag(self.image);
                let Some((_, bytes)) = self.named(&tag).await? else { return Ok(Vec::new()) };
                self.lists.push(tag);
                let list = parse(&bytes).ok().filter(ReferrerList::is_of_referrers);
                Ok(list.map(|list| list.referrers).unwrap_or_default())
            }
            Err(error) => {
                self.lacks("what refers to it", &error.to_string());
                Ok(Vec::new())
            }
        }
    }

    async fn bundle(&mut self, referrer: Referrer) -> Result<(), WorkError> {
        let manifest = self.library.manifest(&referrer.digest).await;
        let Some(bytes) = self.have(manifest, "what refers to it")? else { return Ok(()) };
        if subject(&bytes).as_ref() != Some(self.image) {
            return Ok(());
        }
        let blob = layers(&bytes).into_iter().next().filter(|blob| blob.size <= MAX_CANDIDATE as u64);
        let Some(blob) = blob else { return Ok(()) };
        // What was fetched goes before more is fetched.
        drop(bytes);
        let content = self.library.blob(&blob).await;
        let Some(content) = self.have(content, "a bundle of it")? else { return Ok(()) };
        self.judge.see(&Evidence::Bundle(content.to_vec()));
        // Each costs some signatures to verify; others wait for the same thread.
        tokio::task::yield_now().await;
        self.found.insert(Digest::sha256(&content), Found::Referrer(referrer));
        Ok(())
    }

    /// Signatures as cosign kept them before, in a tag.
    async fn simple(&mut self) -> Result<(), WorkError> {
        let tag = signatures_tag(self.image);
        let Some((digest, manifest)) = self.named(&tag).await? else { return Ok(()) };
        if manifest.len() > MAX_CANDIDATE {
            return Ok(());
        }
        let layers = layers(&manifest);
        if layers.len() > MAX_CANDIDATES {
            self.judge.leave_out(Format::Simple);
            return Ok(());
        }
        let mut payloads = Vec::new();
        for layer in layers.iter().filter(|layer| layer.size <= MAX_PAYLOAD as u64) {
            let content = self.library.blob(layer).await;
            payloads.extend(self.have(content, "what was signed of it")?.map(|content| content.to_vec()));
        }
        self.judge.see(&Evidence::Simple { manifest: manifest.to_vec(), payloads });
        self.found.insert(Digest::sha256(&manifest), Found::Tag(tag, digest));
        Ok(())
    }

    /// What a tag points to; nothing if there is no such tag.
    async fn named(&mut self, tag: &TagName) -> Result<Option<(Digest, Bytes)>, WorkError> {
        match self.library.named(tag).await {
            // A list that is too large, or not what it is named as, may have what is looked for.
            Err(WorkError::Failed(failure)) => {
                self.lacks("a tag beside it", &failure.message);
                Ok(None)
            }
            result => Ok(self.have(result, "a tag beside it")?.flatten()),
        }
    }

    /// What came; nothing of what is too large, or no manifest, which is no evidence. What could not be had may be some.
    fn have<T>(&mut self, result: Result<T, WorkError>, what: &str) -> Result<Option<T>, WorkError> {
        match result {
            Ok(content) => Ok(Some(content)),
            Err(WorkError::Failed(failure)) => {
                if failure.reason != FailureReason::ContentRefused {
                    self.lacks(what, &failure.message);
                }
                Ok(None)
            }
            // The image waits, and not the others: the mirror wakes when the registry may be asked again.
            Err(WorkError::Limited(until)) => {
                self.lacks(what, &format!("the registry limits the rate of requests, until {until}"));
                self.until = self.until.max(Some(until));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn lacks(&mut self, what: &str, why: &str) {
        self.lacks.get_or_insert_with(|| format!("{what} could not be had: {why}"));
    }

    fn end(self) -> Judged {
        let Self { judge, mut found, lacks, until, lists, .. } = self;
        let verdict = match lacks.filter(|_| !judge.is_verified()) {
            Some(detail) => Verdict::Unavailable { detail },
            None => judge.verdict(),
        };
        let evidence = match &verdict {
            Verdict::Verified { by } => by.iter().filter_map(|by| found.remove(&by.evidence)).collect(),
            Verdict::Refused { .. } | Verdict::Unavailable { .. } => Vec::new(),
        };
        Judged { verdict, evidence, lists, until }
    }
}

/// The layers of an artifact.
fn layers(manifest: &[u8]) -> Vec<Descriptor> {
    match Manifest::parse(manifest) {
        // The first is the config.
        Ok(Manifest { content: Content::Image(blobs), .. }) => blobs.into_iter().skip(1).collect(),
        _ => Vec::new(),
    }
}
