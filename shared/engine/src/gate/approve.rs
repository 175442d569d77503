//! The gate's last question, in a sync: who signed an image. It is asked before anything of the image is fetched but its
//! signatures, and those come before it.

use bytes::Bytes;
use moorage_domain::{
    Digest, FailureReason, TagName,
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
}

impl Library for Shelf<'_> {
    async fn referrers(&self, image: &Digest) -> Result<Option<Referrers>, UpstreamError> {
        self.invocation.knowledge.referrers(self.registry, image).await
    }

    async fn named(&self, tag: &TagName) -> Result<(Digest, Bytes), WorkError> {
        let digest = self.invocation.knowledge.resolve(self.registry, tag).await?.digest;
        let _place = self.copier.documents.acquire().await;
        let bytes = self.copier.fetched(&digest, Some(tag)).await?;
        self.copier.keep(&digest, &bytes);
        Ok((digest, bytes))
    }

    async fn manifest(&self, digest: &Digest) -> Result<Bytes, WorkError> {
        let _place = self.copier.documents.acquire().await;
        let bytes = self.copier.fetched(digest, None).await?;
        self.copier.keep(digest, &bytes);
        Ok(bytes)
    }

    async fn blob(&self, blob: &Descriptor) -> Result<Bytes, WorkError> {
        let _place = self.copier.documents.acquire().await;
        let content = self.copier.blobs.fetch(blob).await?;
        self.copier.keep(&blob.digest, content.bytes());
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
        let Judged { verdict, evidence } = self.brought(copier, image, judged).await?;
        match policy.ruled(held.and_then(|held| held.approval.as_deref()), verdict) {
            Verdict::Verified { by } => {
                for found in evidence {
                    if let Found::Tag(tag, _) = found {
                        copier.attach(tag);
                    }
                }
                copier.approve(tag, Approval::new(policy.id(), by));
                Ok(Signed::Passes)
            }
            verdict => self.denied(policy, (tag, image), held, verdict).await,
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
            Some(Judged { verdict, .. }) => self.denied(policy, (tag, image), None, verdict).await.map(drop),
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
        let library = Shelf { invocation: self, registry, copier };
        copier.in_time(evidence::judge(policy, tag, trust, &library)).await
    }

    /// Has the signatures come that let an image in, before it comes itself. Without them nobody could verify it here.
    async fn brought(&self, copier: &Copier, image: &Digest, judged: Judged) -> Result<Judged, WorkError> {
        let mut referrers = Vec::new();
        for found in &judged.evidence {
            match found {
                Found::Referrer(referrer) => referrers.push(referrer.clone()),
                Found::Tag(tag, digest) => {
                    if let Err(WorkError::Failed(failure)) =
                        copier.in_time(copier.manifest(digest, Some(tag), &DescriptorLimit::new())).await
                    {
                        return Ok(missing(&failure.message));
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
        verdict: Verdict,
    ) -> Result<Signed, WorkError> {
        let (mode, reason) = (policy.mode(), reason(&verdict));
        let judgement = Judgement::unsigned(mode, reason);
        self.note(tag, judgement);
        let repository = &self.mirror.config.repository;
        tracing::warn!(%repository, %tag, %image, ?verdict, "the image is not found to be signed");
        if mode != Mode::Enforce {
            return Ok(Signed::Passes);
        }
        match verdict {
            Verdict::Refused { reason, detail } => {
                let message = format!("{}: {detail} ({image})", reason.as_str());
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

    fn note(&self, tag: &TagName, judgement: Judgement) {
        if let Some(keeper) = &self.gatekeeper {
            keeper.judge(tag, judgement);
        }
    }
}

/// That a signature is there, and cannot be had.
fn missing(why: &str) -> Judged {
    Judged {
        verdict: Verdict::Unavailable { detail: format!("its signature did not come: {why}") },
        evidence: Vec::new(),
    }
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
