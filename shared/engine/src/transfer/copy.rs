//! Tags, some at a time: what is planned is copied at once, so that of a registry which allows few requests each of them
//! brings a tag nearer to its end.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use futures_util::{StreamExt as _, future, stream};
use moorage_domain::{Digest, FailureReason, RateLimit, TagName, failure::Failure, plan::HeldTag, run::Outcome};
use moorage_upstream::Registry;

use crate::{
    error::WorkError,
    sync::invocation::Invocation,
    transfer::{
        copier::Copier,
        places::Places,
        plan::{Planned, Wanted},
        publish::Believed,
    },
};

/// Tags that are under way at once. A HEAD is cheap for both sides, and 32 hide the latency of a distant registry.
const TAGS_IN_FLIGHT: usize = 32;
/// Tags that are copied at once.
const COPIES_IN_FLIGHT: usize = 8;
/// Tags that are to be copied of which the first are begun at once: an image of one layer takes four requests, and some
/// registries allow twenty in a minute.
const FIRST: usize = 4;
/// The same where the registry is known to limit requests: then whatever it allows is enough for one.
const FIRST_LIMITED: usize = 1;

/// What the tags of one pass share.
struct Pass<'a> {
    registry: &'a Registry,
    copier: &'a Copier,
    held: &'a BTreeMap<TagName, HeldTag>,
    /// Places of tags that will have to be copied, from before they are asked for.
    ahead: Places,
    /// Places of tags that are copied.
    copying: Places,
    /// Whether no more is to be begun.
    stopped: AtomicBool,
}

impl Invocation<'_> {
    /// Copies, verifies or leaves tags, as long as there is time to begin another. Tells whether all were tried. Those that
    /// need not be asked for come first, and then those that have mostly not changed.
    pub(crate) async fn copy(
        &self,
        registry: &Registry,
        copier: &Copier,
        held: &BTreeMap<TagName, HeldTag>,
        open: &[&TagName],
    ) -> Result<bool, WorkError> {
        let first = if self.meter.limit() == RateLimit::default() { FIRST } else { FIRST_LIMITED };
        let (ahead, copying) = (Places::new(first, TAGS_IN_FLIGHT), Places::new(first, COPIES_IN_FLIGHT));
        let pass = Pass { registry, copier, held, ahead, copying, stopped: AtomicBool::new(false) };
        let (said, asked): (Vec<_>, Vec<_>) = open.iter().copied().partition(|tag| self.said(held, tag).is_some());
        let (known, mut new): (Vec<_>, Vec<_>) = asked.into_iter().partition(|tag| self.known(held, tag).is_some());
        new.sort_unstable();
        let (mut tried, mut stop) = (0, None);
        let tags = stream::iter(said.into_iter().chain(known).map(|tag| (tag, false)));
        let tags = tags.chain(stream::iter(new.into_iter().map(|tag| (tag, true))));
        let begun = tags.take_while(|_| future::ready(self.may_begin(&pass)));
        let one = async |(tag, is_new)| (tag, self.one(&pass, tag, is_new).await);
        let mut results = begun.map(one).buffer_unordered(TAGS_IN_FLIGHT);
        while let Some((tag, result)) = results.next().await {
            self.progress.queue_ready().await;
            tried += 1;
            match result {
                Ok((Outcome::Unchanged, digest)) if self.is_adopted(tag) => {
                    self.progress.outcome(tag, Outcome::Repaired, digest);
                }
                Ok((outcome @ (Outcome::Skipped | Outcome::Unchanged), _)) => self.progress.outcome(tag, outcome, None),
                Ok((outcome, digest)) => self.progress.outcome(tag, outcome, digest),
                Err(WorkError::Suspended) => tried -= 1,
                // What is under way comes to its end: its content is often not what is limited.
                Err(error @ WorkError::Limited(_)) => {
                    pass.stopped.store(true, Relaxed);
                    stop = Some(error);
                }
                Err(error) => self.failed(tag, error)?,
            }
        }
        stop.map_or(Ok(tried == open.len()), Err)
    }

    fn may_begin(&self, pass: &Pass<'_>) -> bool {
        self.budget.may_begin() && !pass.stopped.load(Relaxed)
    }

    /// Plans a tag, and does what is to be done. One that will have to be copied is not even asked for before its place is
    /// free.
    async fn one(&self, pass: &Pass<'_>, tag: &TagName, is_new: bool) -> Result<(Outcome, Option<Digest>), WorkError> {
        let Pass { registry, copier, held, ahead, copying, .. } = pass;
        let _ahead = if is_new { ahead.take().await } else { None };
        if !self.may_begin(pass) {
            return Err(WorkError::Suspended);
        }
        let wanted = match self.plan(registry, copier, held, tag).await? {
            Planned::Left(outcome) => return Ok((outcome, None)),
            Planned::Wanted(wanted) => wanted,
        };
        let expected = wanted.held.is_none().then(|| wanted.digest.clone());
        let expected = expected.filter(|digest| !copier.manifests.knows(digest));
        if let Some(digest) = &expected {
            copier.possession().expect(digest);
        }
        let place = copying.take().await;
        let result =
            if self.may_begin(pass) { deal(registry, copier, tag, wanted).await } else { Err(WorkError::Suspended) };
        drop(place);
        if let Some(digest) = &expected {
            copier.possession().forget(digest);
        }
        if !matches!(result, Err(WorkError::Suspended | WorkError::Limited(_))) {
            ahead.add();
            copying.add();
        }
        result.map(|(outcome, digest)| (outcome, Some(digest)))
    }
}

/// Deals with one tag. One whose image does not come is asked for once more, by the tag: it moved or went meanwhile, or the
/// registry named a digest that it no longer has, whatever it says to that.
async fn deal(
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
