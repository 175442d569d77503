//! What is to be done about a tag: the registry's digest against the one that is held.

use std::collections::BTreeMap;

use moorage_domain::{
    Digest, TagName,
    gate::{Facts, Judgement, Reason, Sighting},
    plan::{self, HeldTag, TagAction},
    run::Outcome,
    selection::Step,
};
use moorage_state::now;
use moorage_upstream::Registry;

use crate::{
    error::WorkError,
    sync::invocation::Invocation,
    transfer::{copier::Copier, publish::Believed},
};

/// What is to be done about a tag.
pub(crate) enum Planned<'h> {
    /// Nothing: this is its outcome.
    Left(Outcome),
    /// It waits at the gate with this image.
    Held(Digest),
    /// It is to be copied or verified.
    Wanted(Wanted<'h>),
}

/// A tag that is to be dealt with.
pub(crate) struct Wanted<'h> {
    /// What it is to point to.
    pub(crate) digest: Digest,
    /// What is held, if that is what the registry has: then it is only verified.
    pub(crate) held: Option<&'h HeldTag>,
    /// What the tag's link is.
    pub(crate) believed: Believed,
}

impl Invocation<'_> {
    /// What becomes of a tag whose image is another one than here, if it does not follow.
    async fn judge_move(
        &self,
        held: Option<&HeldTag>,
        tag: &TagName,
        upstream: &Digest,
    ) -> Result<Option<Planned<'static>>, WorkError> {
        let Some(keeper) = &self.gatekeeper else { return Ok(None) };
        let Some(judgement) = keeper.on_move(&self.mirror.config.policy.gate, tag, upstream) else { return Ok(None) };
        if judgement.reason == Reason::Kept {
            return Ok(Some(Planned::Left(Outcome::Unchanged)));
        }
        if keeper.is_new(upstream) {
            let seen = Sighting { first_seen: now(), release: None, facts: Facts::default() };
            self.engine.table.put_sightings(&self.mirror.config.repository, [(upstream.clone(), seen)], now()).await?;
        }
        keeper.hold(vec![(tag.clone(), upstream.clone(), held, judgement)]).await?;
        Ok(Some(Planned::Held(upstream.clone())))
    }

    /// Asks the registry for a tag's digest, where that is not known, and decides by it.
    pub(crate) async fn plan<'h>(
        &self,
        registry: &Registry,
        copier: &Copier,
        held: &'h BTreeMap<TagName, HeldTag>,
        tag: &TagName,
    ) -> Result<Planned<'h>, WorkError> {
        let upstream = self.resolve(registry, held, tag).await?;
        // The record of an earlier repository of the name says nothing of this one.
        let held = held.get(tag).filter(|held| held.generation == self.owner.generation);
        if self.is_skipped(tag, &upstream.digest) {
            if let Some(held) = held.filter(|held| held.missing.is_some()) {
                self.tags.set_seen(tag, held.last_seen, None).await?;
            }
            return Ok(Planned::Left(Outcome::Skipped));
        }
        if let Some(keeper) = &self.gatekeeper
            && keeper.is_another(tag, &upstream.digest)
        {
            // The next run judges what it is now.
            let judgement = Judgement::of_step(Step::MinAge, Reason::EvidenceUnavailable);
            keeper.hold(vec![(tag.clone(), upstream.digest.clone(), held, judgement)]).await?;
            return Ok(Planned::Held(upstream.digest));
        }
        let has_moved = held.is_some_and(|held| *held.upstream() != upstream.digest);
        if has_moved && let Some(planned) = self.judge_move(held, tag, &upstream.digest).await? {
            return Ok(planned);
        }
        let kept = match plan::action(held, &upstream.digest, &self.mirror.config.architecture_filter) {
            TagAction::Keep => held,
            TagAction::Copy => None,
        };
        if kept.is_some_and(|kept| kept.last_seen.is_some()) {
            self.tags.set_seen(tag, None, None).await?;
        }
        if kept.is_some() && !self.verifies {
            return Ok(Planned::Left(Outcome::Unchanged));
        }
        if let Some(manifest) = upstream.manifest {
            copier.keep(&upstream.digest, &manifest);
        }
        Ok(Planned::Wanted(Wanted { digest: upstream.digest, held: kept, believed: Believed::of(held) }))
    }
}
