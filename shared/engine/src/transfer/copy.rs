//! Tags, some at a time: what is planned is copied at once, so that of a registry which allows few requests each of them
//! brings a tag nearer to its end.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, future, stream};
use moorage_domain::{
    Digest, FailureReason, TagName,
    failure::Failure,
    plan::HeldTag,
    run::{Outcome, TagOutcome},
};
use moorage_state::now;
use moorage_upstream::Registry;

use crate::{
    error::WorkError,
    gate::approve::Signed,
    sync::invocation::Invocation,
    transfer::{
        copier::Copier,
        places::TAGS_IN_FLIGHT,
        plan::{Planned, Wanted},
        publish::Believed,
    },
};

/// A tag that is to be tried, and whether it will most likely have to be copied.
type Open<'t> = (&'t TagName, bool);

/// What the tags of one pass share.
struct Pass<'a> {
    registry: &'a Registry,
    copier: &'a Copier,
    held: &'a BTreeMap<TagName, HeldTag>,
    /// If it is the first of two, until when it asks for tags that have most likely not changed; those that have only to be
    /// verified are left to the second.
    first_until: Option<Instant>,
    /// When no more is to be begun, if that is before the invocation's time is up.
    end: Option<Instant>,
    /// Whether no more is to be begun.
    stopped: AtomicBool,
}

/// How a pass ended.
struct Passed<'t> {
    /// Whether all tags were tried.
    is_whole: bool,
    /// Why no more was begun.
    stop: Option<WorkError>,
    /// The tags that are to be verified.
    put_off: Vec<&'t TagName>,
}

impl Invocation<'_> {
    /// Copies, verifies or leaves tags, as long as there is time to begin another. Tells whether all were tried. Those that
    /// need not be asked for come first, and then those that have mostly not changed.
    ///
    /// A run that verifies first does what any other would do, the new tags before all; in the second pass it verifies what
    /// the first has found to be as it was. The first asks for those in half of the time at most: where there are so many
    /// that they take longer, some of them are verified nevertheless, and are done.
    pub(crate) async fn copy(
        &self,
        registry: &Registry,
        copier: &Copier,
        held: &BTreeMap<TagName, HeldTag>,
        open: &[&TagName],
    ) -> Result<bool, WorkError> {
        let pass =
            |first_until, end| Pass { registry, copier, held, first_until, end, stopped: AtomicBool::new(false) };
        let (said, asked): (Vec<_>, Vec<_>) = open.iter().copied().partition(|tag| self.said(held, tag).is_some());
        let (known, mut new): (Vec<_>, Vec<_>) = asked.into_iter().partition(|tag| self.known(held, tag).is_some());
        new.sort_unstable();
        let known = said.into_iter().chain(known).map(|tag| (tag, false));
        let new = new.into_iter().map(|tag| (tag, true));
        if !self.verifies {
            let Passed { is_whole, stop, .. } = self.pass(&pass(None, None), known.chain(new).collect()).await?;
            return stop.map_or(Ok(is_whole), Err);
        }
        let one = self.pass(&pass(Some(self.budget.half()), None), new.chain(known).collect()).await?;
        let put_off = one.put_off.into_iter().map(|tag| (tag, false)).collect();
        let other = self.pass(&pass(None, self.verify_until()), put_off).await?;
        one.stop.or(other.stop).map_or(Ok(one.is_whole && other.is_whole), Err)
    }

    /// When a verification hands over although it has time: at the mirror's next start. Then the tags are listed anew, and
    /// what is new is copied. It goes on for at least as long as the invocation took to come to it, so that it ends however
    /// short the interval is.
    fn verify_until(&self) -> Option<Instant> {
        let next = self.mirror.next_start(self.knowledge.listed_at()?)?;
        let left = u64::try_from(next.unix().saturating_sub(now().unix())).unwrap_or_default();
        Instant::now().checked_add(Duration::from_secs(left).max(self.budget.elapsed()))
    }

    /// Copies, verifies or leaves tags, in this order.
    async fn pass<'t>(&self, pass: &Pass<'_>, tags: Vec<Open<'t>>) -> Result<Passed<'t>, WorkError> {
        let (count, mut tried, mut stop, mut put_off) = (tags.len(), 0, None, Vec::new());
        let begun = stream::iter(tags).take_while(|(_, is_new)| future::ready(self.may_begin(pass, *is_new)));
        let one = async |(tag, is_new)| (tag, self.one(pass, tag, is_new).await);
        let mut results = begun.map(one).buffer_unordered(TAGS_IN_FLIGHT);
        while let Some((tag, result)) = results.next().await {
            self.progress.queue_ready().await;
            tried += 1;
            let (outcome, digest) = match result {
                Ok(Some(dealt)) => dealt,
                Ok(None) => {
                    put_off.push(tag);
                    continue;
                }
                Err(WorkError::Suspended) => {
                    tried -= 1;
                    continue;
                }
                // What is under way comes to its end: its content is often not what is limited.
                Err(error @ WorkError::Limited(_)) => {
                    pass.stopped.store(true, Relaxed);
                    stop = Some(error);
                    continue;
                }
                Err(error) => {
                    self.failed(tag, error)?;
                    continue;
                }
            };
            match outcome {
                // An earlier invocation has said so.
                Outcome::Held if self.done.contains(tag) => {}
                Outcome::Unchanged if self.is_adopted(pass.held.get(tag)) => {
                    self.progress.outcome(tag, Outcome::Repaired, digest);
                }
                Outcome::Unchanged if self.was_copied(pass.held.get(tag)) => {
                    let held = pass.held.get(tag).map(|held| held.digest.clone());
                    self.progress.outcome(tag, Outcome::Copied, held);
                }
                Outcome::Skipped | Outcome::Unchanged => {
                    self.progress.judged(tag, outcome, None, self.judgement(tag));
                }
                _ => {
                    let signed = pass.copier.approval(tag).map(|approval| approval.by).unwrap_or_default();
                    let before = pass.held.get(tag).filter(|_| outcome == Outcome::Copied);
                    let (gate, from) = (self.judgement(tag), before.map(|before| before.digest.clone()));
                    let told = TagOutcome::new(tag.clone(), outcome);
                    self.progress.record(TagOutcome { digest, gate, signed, from, ..told });
                }
            }
            if self.verifies {
                self.knowledge.forget(tag);
            }
        }
        Ok(Passed { is_whole: tried == count, stop, put_off })
    }

    fn may_begin(&self, pass: &Pass<'_>, is_new: bool) -> bool {
        let end = if is_new { pass.end } else { pass.end.or(pass.first_until) };
        self.budget.may_begin() && end.is_none_or(|end| Instant::now() < end) && !pass.stopped.load(Relaxed)
    }

    /// Plans a tag, and does what is to be done. One that will have to be copied is not even asked for before its place is
    /// free; when it is dealt with, however that ended, there are more. Nothing if it is left to the second pass.
    async fn one(
        &self,
        pass: &Pass<'_>,
        tag: &TagName,
        is_new: bool,
    ) -> Result<Option<(Outcome, Option<Digest>)>, WorkError> {
        let places = &pass.copier.blobs.flow.tags;
        let _ahead = if is_new { places.ahead.take().await } else { None };
        if !self.may_begin(pass, is_new) {
            return Err(WorkError::Suspended);
        }
        let result = self.dealt(pass, tag).await;
        let is_dealt_with = match &result {
            Ok(dealt) => is_new || matches!(dealt, Some((Outcome::Copied, _))),
            Err(WorkError::Suspended | WorkError::Limited(_)) => false,
            Err(_) => is_new,
        };
        if is_dealt_with {
            places.add();
        }
        result
    }

    async fn dealt(&self, pass: &Pass<'_>, tag: &TagName) -> Result<Option<(Outcome, Option<Digest>)>, WorkError> {
        let Pass { registry, copier, held, .. } = pass;
        let wanted = match self.plan(registry, copier, held, tag).await? {
            Planned::Left(outcome) => {
                if let Some(held) = held.get(tag).filter(|_| outcome == Outcome::Unchanged) {
                    self.signed_as_served(registry, copier, tag, held).await?;
                }
                return Ok(Some((outcome, None)));
            }
            Planned::Held(digest) => return Ok(Some((Outcome::Held, Some(digest)))),
            Planned::Wanted(wanted) => wanted,
        };
        if let Some(held) = wanted.held {
            if pass.first_until.is_some() {
                return Ok(None);
            }
            // Mostly nothing has to come.
            let _place = copier.blobs.flow.tags.linking.acquire().await;
            let (outcome, digest) = Box::pin(self.deal(registry, copier, tag, wanted)).await?;
            self.signed_as_served(registry, copier, tag, held).await?;
            return Ok(Some((outcome, Some(digest))));
        }
        let (outcome, digest) = self.in_turn(pass, tag, wanted).await?;
        Ok(Some((outcome, Some(digest))))
    }

    /// Deals with a tag that is to be copied when it is its turn: the first one of an image when there is a place for that,
    /// the others when it is there.
    async fn in_turn(
        &self,
        pass: &Pass<'_>,
        tag: &TagName,
        wanted: Wanted<'_>,
    ) -> Result<(Outcome, Digest), WorkError> {
        let (copier, image) = (pass.copier, wanted.digest.clone());
        let places = &copier.blobs.flow.tags;
        let is_new = || !copier.is_through_with(&image);
        let lead = if is_new() { copier.leads.take(&image).await } else { None };
        let place = if is_new() {
            copier.possession().expect(&image);
            places.copying.take().await
        } else {
            // Nobody closes it.
            places.linking.acquire().await.ok()
        };
        let member = self.crowd.join();
        // Boxed: those that wait for their turn are many.
        let result = if self.may_begin(pass, true) {
            Box::pin(self.let_in(pass, tag, wanted)).await
        } else {
            Err(WorkError::Suspended)
        };
        drop((lead, place, member));
        copier.possession().forget(&image);
        result
    }

    /// Deals with a tag that is to be copied, if its image is signed as it has to be.
    async fn let_in(&self, pass: &Pass<'_>, tag: &TagName, wanted: Wanted<'_>) -> Result<(Outcome, Digest), WorkError> {
        let Pass { registry, copier, held, .. } = pass;
        let signed = self.signed(registry, copier, (tag, &wanted.digest), held.get(tag)).await;
        if let Ok(Signed::Passes) = signed {
            return self.deal(registry, copier, tag, wanted).await;
        }
        // What it has here stays, and is looked at as the others are.
        if let Some(held) = held.get(tag).filter(|_| self.verifies) {
            copier.verify(tag, held).await?;
        }
        signed.map(|_| (Outcome::Held, wanted.digest))
    }

    /// Deals with one tag. One whose image does not come is asked for once more, by the tag: it moved or went meanwhile, or the
    /// registry named a digest that it no longer has, whatever it says to that. With a gate the next sync asks, which judges
    /// what it is then.
    async fn deal(
        &self,
        registry: &Registry,
        copier: &Copier,
        tag: &TagName,
        wanted: Wanted<'_>,
    ) -> Result<(Outcome, Digest), WorkError> {
        let Wanted { mut digest, held, believed } = wanted;
        let mut result = match held {
            Some(held) => copier.verify(tag, held).await,
            None => as_it_is(copier, tag, &digest, believed.clone()).await,
        };
        let is_refused = matches!(&result, Err(error) if error.is_refused());
        if is_refused
            && self.gatekeeper.is_none()
            && let Ok(upstream) = registry.read(tag).await
            && upstream.digest != digest
        {
            digest = upstream.digest;
            if let Some(manifest) = upstream.manifest {
                copier.keep(&digest, &manifest);
            }
            result = as_it_is(copier, tag, &digest, believed.clone()).await;
        }
        if matches!(result, Err(WorkError::Failed(_)))
            && held.is_none()
            && let Some(part) = copier.part_of(tag, &digest, believed).await
        {
            return part;
        }
        result.map(|outcome| (outcome, digest))
    }
}

/// Copies a tag as the registry has it, but no list of referrers that does not say the truth.
async fn as_it_is(copier: &Copier, tag: &TagName, digest: &Digest, believed: Believed) -> Result<Outcome, WorkError> {
    match copier.is_untrue(tag, digest).await {
        Ok(true) => {
            let message = "it lists what does not refer to the image, or says of it what it is not".to_owned();
            Err(WorkError::Failed(Failure::new(FailureReason::ContentRefused, message)))
        }
        // Why its manifest does not come is found out where it is copied.
        Ok(false) | Err(WorkError::Failed(_)) => copier.tag(tag, digest, None, believed).await,
        Err(error) => Err(error),
    }
}
