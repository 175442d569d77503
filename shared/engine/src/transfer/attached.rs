//! What is attached to images, as it is kept: as the index that clients without an API for it look for.

use std::collections::BTreeSet;

use moorage_domain::{
    Digest, FailureReason, TagName,
    plan::HeldTag,
    referrers::{Referrer, ReferrerList, index, is_servable},
    run::Outcome,
};
use moorage_upstream::{Referrers, Registry, UpstreamError};

use crate::{
    error::WorkError,
    sync::{invocation::Invocation, losses::Losses},
    transfer::{copier::Copier, gather::Gathered, publish::Believed},
};

/// Everything that the attachments of one run need.
pub(crate) struct Attached<'a> {
    pub(crate) invocation: &'a Invocation<'a>,
    pub(crate) registry: &'a Registry,
    pub(crate) copier: &'a Copier,
    /// The tags that the registry lists and that look like attachments.
    pub(crate) listed: &'a BTreeSet<TagName>,
    /// The tags that the rule selects: dealt with already.
    pub(crate) selected: &'a BTreeSet<TagName>,
    /// Whether what refers to unchanged images is asked for, too.
    pub(crate) refresh: bool,
    /// The subjects whose referrers are asked for in any case.
    pub(crate) again: &'a BTreeSet<Digest>,
}

impl Attached<'_> {
    pub(crate) fn losses(&self) -> &Losses {
        &self.invocation.progress.losses
    }

    /// Records that a list could not be kept. What is too much of it fails nothing: the image was copied, and what was
    /// attached to it stays.
    pub(crate) fn failed(&self, tag: &TagName, error: WorkError) -> Result<(), WorkError> {
        match error {
            WorkError::Failed(failure) if failure.reason == FailureReason::ContentRefused => {
                let (repository, message) = (&self.invocation.mirror.config.repository, failure.message);
                tracing::warn!(%repository, %tag, message, "what refers to an image is left out");
                self.losses().unasked(1);
                Ok(())
            }
            error => self.invocation.failed(tag, error),
        }
    }

    /// Makes the tag hold what the API answered, as far as it can be had, and what the registry's own tag of that name
    /// holds, if it has one. Tells whether there is anything.
    pub(crate) async fn merge(
        &self,
        tag: &TagName,
        held: Option<&HeldTag>,
        answer: Result<Option<Referrers>, UpstreamError>,
    ) -> Result<bool, WorkError> {
        let is_listed = self.listed.contains(tag);
        let own = held.filter(|_| is_listed);
        let Some(Referrers { list, cut }) = answer? else { return Ok(held.is_some()) };
        let mut referrers = list.referrers;
        let unservable = referrers.iter().filter(|it| !is_servable(it)).count();
        self.losses().missing(list.unreadable.saturating_add(unservable));
        referrers.retain(is_servable);
        // What a list lacks that is cut stays.
        let known = match own.or(held.filter(|_| cut.is_some())) {
            Some(held) => self.copier.held_list(&held.digest).await?,
            None => ReferrerList::default(),
        };
        let (is_index, known) = (known.is_of_referrers(), known.referrers);
        let is_more = |referrer: &Referrer| known.iter().all(|known| known.digest != referrer.digest);
        if own.is_some() && is_index && !referrers.iter().any(is_more) {
            return Ok(true);
        }
        // An image that somebody wants stays, or its place stays free.
        if is_listed && self.selected.contains(tag) && !(is_index && self.copier.refer(tag, &known).await?) {
            if !referrers.is_empty() {
                self.losses().taken();
            }
            return Ok(held.is_some());
        }
        if is_index {
            referrers.extend(known);
        }
        if referrers.is_empty() {
            return Ok(own.is_some());
        }
        let mut bytes = index(referrers.clone())?;
        // What is not held already has to come, or is not listed.
        if self.invocation.verifies || held.is_none_or(|held| held.digest != Digest::sha256(&bytes)) {
            let Gathered { had, missing } = self.copier.gather(tag, referrers).await?;
            self.losses().missing(missing);
            if had.is_empty() {
                return Ok(held.is_some());
            }
            bytes = index(had)?;
        }
        let digest = Digest::sha256(&bytes);
        self.invocation.progress.attached(usize::from(!self.listed.contains(tag)));
        let kept = held.filter(|held| held.digest == digest);
        if let Some(kept) = kept {
            let verified =
                if self.invocation.verifies { self.copier.verify(tag, kept).await? } else { Outcome::Unchanged };
            self.invocation.progress.outcome(tag, verified, None);
            return Ok(true);
        }
        let digest = self.copier.keep_index(bytes).await?;
        let source = own.map_or(&digest, |own| own.upstream()).clone();
        let outcome = self.copier.tag(tag, &digest, Some(source), Believed::of(held)).await?;
        self.invocation.progress.moved(tag, outcome, digest, held);
        Ok(true)
    }
}
