//! The gate's last question, in a sync: who signed an image. It is asked before anything of the image is fetched but its
//! signatures, and those come before it.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use moorage_domain::{
    Digest, FailureReason, TagName, Timestamp,
    failure::Failure,
    gate::{Judgement, Mode, Reason},
    manifest::Descriptor,
    plan::HeldTag,
    referrers::{is_derived_tag, referrers_tag},
    signature_policy::{Approval, Refusal, SignaturePolicy, Verdict},
};
use moorage_upstream::{Referrers, Registry, UpstreamError};

use super::evidence::{self, Found, Judged, Library};
use crate::{
    error::WorkError,
    sync::invocation::Invocation,
    transfer::{copier::Copier, gather::Gathered, tree::DescriptorLimit},
};

/// How long it may take to have and to judge what may be signatures of one image. Images have a handful; whoever has more come,
/// byte by byte, holds up their own image alone.
const JUDGING: Duration = Duration::from_secs(60);

/// What becomes of a tag.
pub(crate) enum Signed {
    /// Nothing is to be said against it.
    Passes,
    /// It waits: nobody can say at present.
    Waits,
}

/// The registry, in a sync: what comes is kept for copying.
struct Shelf<'a> {
    invocation: &'a Invocation<'a>,
    registry: &'a Registry,
    copier: &'a Copier,
    /// What came, and is kept.
    kept: Mutex<Vec<Digest>>,
}

impl Shelf<'_> {
    fn keep(&self, digest: &Digest, bytes: &[u8]) {
        self.copier.keep(digest, bytes);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(digest.clone());
    }

    /// Gives up what came: nobody copies it.
    fn clear(self) {
        for digest in self.kept.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.copier.blobs.flow.take(&digest);
        }
    }
}

impl Library for Shelf<'_> {
    async fn referrers(&self, image: &Digest) -> Result<Option<Referrers>, UpstreamError> {
        self.invocation.knowledge.referrers(self.registry, image).await
    }

    async fn named(&self, tag: &TagName) -> Result<Option<(Digest, Bytes)>, WorkError> {
        let digest = match self.invocation.knowledge.resolve(self.registry, tag).await {
            Err(UpstreamError::NotFound(_)) => return Ok(None),
            resolved => resolved?.digest,
        };
        let _place = self.copier.documents.acquire().await;
        let bytes = self.copier.fetched(&digest, Some(tag)).await?;
        self.keep(&digest, &bytes);
        Ok(Some((digest, bytes)))
    }

    async fn manifest(&self, digest: &Digest) -> Result<Bytes, WorkError> {
        let _place = self.copier.documents.acquire().await;
        let bytes = self.copier.fetched(digest, None).await?;
        self.keep(digest, &bytes);
        Ok(bytes)
    }

    async fn blob(&self, blob: &Descriptor) -> Result<Bytes, WorkError> {
        let _place = self.copier.documents.acquire().await;
        let content = self.copier.blobs.fetch(blob).await?;
        self.keep(&blob.digest, content.bytes());
        Ok(Bytes::copy_from_slice(content.bytes()))
    }
}

impl Invocation<'_> {
    /// Asks who signed the image that a tag is to point to. What has been refused is a failure of the tag.
    pub(crate) async fn signed(
        &self,
        registry: &Registry,
        copier: &Copier,
        (tag, image): (&TagName, &Digest),
        held: Option<&HeldTag>,
    ) -> Result<Signed, WorkError> {
        let Some(policy) = self.policy(tag) else { return Ok(Signed::Passes) };
        let Some(judged) = self.judge(registry, copier, policy, (tag, image)).await? else { return Ok(Signed::Passes) };
        let Judged { verdict, evidence, lists, until } = self.brought(copier, image, judged).await?;
        // The record of an earlier repository of the name says nothing of this one, nor one of the same image.
        let before = held.filter(|held| held.generation == self.owner.generation && held.upstream() != image);
        match policy.ruled(before.and_then(|held| held.approval.as_deref()), verdict) {
            Verdict::Verified { by } => {
                let tags = evidence.into_iter().filter_map(|found| match found {
                    Found::Tag(tag, _) => Some(tag),
                    Found::Referrer(_) => None,
                });
                tags.chain(lists).for_each(|tag| copier.attach(tag));
                self.unattached(image);
                copier.approve(tag, Approval::new(policy.id(), by));
                Ok(Signed::Passes)
            }
            verdict => self.denied(policy, (tag, image), held, (verdict, until)).await,
        }
    }

    /// The same of a tag that is served as it is, where the policy judges that, too: once for each policy.
    pub(crate) async fn signed_as_served(
        &self,
        registry: &Registry,
        copier: &Copier,
        tag: &TagName,
        held: &HeldTag,
    ) -> Result<(), WorkError> {
        let Some(policy) = self.policy(tag).filter(|policy| policy.judges_served()) else { return Ok(()) };
        if held.approval.as_ref().is_some_and(|approval| approval.policy == policy.id()) {
            return Ok(());
        }
        let image = held.upstream();
        match self.judge(registry, copier, policy, (tag, image)).await? {
            None => Ok(()),
            Some(Judged { verdict: Verdict::Verified { by }, .. }) => {
                let approval = Approval::new(policy.id(), by);
                self.tags.approve(tag, approval.clone()).await?;
                copier.approve(tag, approval);
                Ok(())
            }
            Some(Judged { verdict: Verdict::Unavailable { .. }, .. }) => {
                self.note(tag, Judgement::unsigned(Mode::Observe, Reason::EvidenceUnavailable));
                Ok(())
            }
            Some(Judged { verdict, until, .. }) => {
                self.denied(policy, (tag, image), None, (verdict, until)).await.map(drop)
            }
        }
    }

    /// What signatures are judged by; nothing for tags that nobody asks about, among them those that are named after what
    /// they are attached to.
    fn policy(&self, tag: &TagName) -> Option<&SignaturePolicy> {
        let policy = self.mirror.config.policy.gate.signatures();
        policy.filter(|policy| policy.judges(tag) && !is_derived_tag(tag))
    }

    async fn judge(
        &self,
        registry: &Registry,
        copier: &Copier,
        policy: &SignaturePolicy,
        tag: (&TagName, &Digest),
    ) -> Result<Option<Judged>, WorkError> {
        let trust = self.trust.get_or_try_init(|| self.engine.trust(policy)).await?;
        let library = Shelf { invocation: self, registry, copier, kept: Mutex::default() };
        let judging = copier.in_time(evidence::judge(policy, tag, trust, &library));
        let judged = match tokio::time::timeout(JUDGING, judging).await {
            Ok(judged) => judged?,
            Err(_) => Some(Judged::unavailable(format!("it took more than {} s to have it", JUDGING.as_secs()))),
        };
        if !matches!(&judged, Some(Judged { verdict: Verdict::Verified { .. }, .. })) {
            library.clear();
        }
        Ok(judged)
    }

    /// Has the signatures come that let an image in, before it comes itself. Without them nobody could verify it here.
    async fn brought(&self, copier: &Copier, image: &Digest, judged: Judged) -> Result<Judged, WorkError> {
        let mut referrers = Vec::new();
        for found in &judged.evidence {
            match found {
                Found::Referrer(referrer) => referrers.push(referrer.clone()),
                Found::Tag(tag, digest) => {
                    match copier.in_time(copier.manifest(digest, Some(tag), &DescriptorLimit::new())).await {
                        Ok(_) => {}
                        Err(WorkError::Failed(failure)) => return Ok(missing(&failure.message)),
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        if referrers.is_empty() {
            return Ok(judged);
        }
        let Gathered { missing: count, .. } = copier.gather(&referrers_tag(image), referrers).await?;
        Ok(if count == 0 { judged } else { missing("what refers to it did not come") })
    }

    /// What follows from it that an image is not found to be signed.
    async fn denied(
        &self,
        policy: &SignaturePolicy,
        (tag, image): (&TagName, &Digest),
        held: Option<&HeldTag>,
        (verdict, until): (Verdict, Option<Timestamp>),
    ) -> Result<Signed, WorkError> {
        let (mode, reason) = (policy.mode(), reason(&verdict));
        let judgement = Judgement { until, ..Judgement::unsigned(mode, reason) };
        self.note(tag, judgement);
        let repository = &self.mirror.config.repository;
        tracing::warn!(%repository, %tag, %image, ?verdict, "the image is not found to be signed");
        if mode != Mode::Enforce {
            return Ok(Signed::Passes);
        }
        match verdict {
            Verdict::Refused { reason, detail } => {
                let message = format!("{tag} ({image}): {}: {detail}", reason.as_str());
                Err(WorkError::Failed(Failure::new(FailureReason::SignatureRefused, message)))
            }
            Verdict::Unavailable { .. } | Verdict::Verified { .. } => {
                if let Some(keeper) = &self.gatekeeper {
                    keeper.hold(vec![(tag.clone(), image.clone(), held, judgement)]).await?;
                }
                Ok(Signed::Waits)
            }
        }
    }

    /// Notes an image whose signatures are not attached to it yet, for whoever pulls it.
    fn unattached(&self, image: &Digest) {
        self.unattached.lock().unwrap_or_else(PoisonError::into_inner).insert(image.clone());
    }

    fn note(&self, tag: &TagName, judgement: Judgement) {
        if let Some(keeper) = &self.gatekeeper {
            keeper.judge(tag, judgement);
        }
    }
}

/// That a signature is there, and cannot be had.
fn missing(why: &str) -> Judged {
    Judged::unavailable(format!("its signature did not come: {why}"))
}

/// Why an image does not pass.
pub(crate) fn reason(verdict: &Verdict) -> Reason {
    match verdict {
        Verdict::Refused { reason, .. } => Reason::Refused(*reason),
        Verdict::Unavailable { .. } => Reason::EvidenceUnavailable,
        // Nobody asks that of one that does.
        Verdict::Verified { .. } => Reason::Refused(Refusal::Unsigned),
    }
}
