//! Who has signed what a sync would copy.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, TagName,
    manifest::Descriptor,
    plan::HeldTag,
    signature_policy::{SignaturePolicy, Verdict},
};
use moorage_signatures::Trust;
use moorage_upstream::{Referrers, Resolved, UpstreamError};

use super::scout::Scout;
use crate::{
    error::WorkError,
    gate::evidence::{self, Library},
};

/// Tags of which it is asked at once.
const TAGS_IN_FLIGHT: usize = 8;

impl Library for Scout<'_> {
    async fn referrers(&self, image: &Digest) -> Result<Option<Referrers>, UpstreamError> {
        self.registry.referrers(image).await
    }

    async fn named(&self, tag: &TagName) -> Result<Option<(Digest, Bytes)>, WorkError> {
        let Resolved { digest, manifest } = match self.registry.read(tag).await {
            Err(UpstreamError::NotFound(_)) => return Ok(None),
            read => read?,
        };
        let bytes = match manifest {
            Some(bytes) => bytes,
            None => self.registry.manifest(&digest, Some(tag)).await?,
        };
        Ok(Some((digest, bytes)))
    }

    async fn manifest(&self, digest: &Digest) -> Result<Bytes, WorkError> {
        Ok(self.registry.manifest(digest, None).await?)
    }

    async fn blob(&self, blob: &Descriptor) -> Result<Bytes, WorkError> {
        let bytes = self.registry.blob(&blob.digest, blob.size, 0).await?.rest().await?;
        if Digest::of(blob.digest.algorithm(), &bytes) != blob.digest {
            return Err(UpstreamError::DigestMismatch(blob.digest.clone()).into());
        }
        Ok(bytes)
    }
}

/// What the policy finds of these tags, as far as there is time.
pub(crate) async fn verdicts(
    scout: &Scout<'_>,
    policy: &SignaturePolicy,
    trust: &Trust,
    held: &BTreeMap<TagName, HeldTag>,
    tags: Vec<(TagName, Digest)>,
) -> BTreeMap<TagName, Verdict> {
    let one = async |(tag, image): (TagName, Digest)| {
        let judged = evidence::judge(policy, (&tag, &image), trust, scout);
        let verdict = match tokio::time::timeout_at(scout.end.into(), judged).await {
            Ok(Ok(judged)) => judged?.verdict,
            Ok(Err(WorkError::Failed(failure))) => Verdict::Unavailable { detail: failure.message },
            Ok(Err(_)) => Verdict::Unavailable { detail: "the registry limits the rate of requests".to_owned() },
            Err(_) => Verdict::Unavailable { detail: "there was no time to ask for it".to_owned() },
        };
        let before = held.get(&tag).filter(|held| *held.upstream() != image).and_then(|held| held.approval.as_deref());
        Some((tag, policy.ruled(before, verdict)))
    };
    stream::iter(tags).map(one).buffer_unordered(TAGS_IN_FLIGHT).filter_map(async |verdict| verdict).collect().await
}
