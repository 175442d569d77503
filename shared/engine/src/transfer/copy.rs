//! The planned tags, some at a time.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, future, stream};
use moorage_domain::{Digest, FailureReason, TagName, failure::Failure, run::Outcome};
use moorage_upstream::Registry;

use crate::{
    error::WorkError,
    sync::invocation::Invocation,
    transfer::{copier::Copier, plan::Wanted, publish::Believed},
};

/// Tags that are copied at once.
const TAGS_IN_FLIGHT: usize = 8;

impl Invocation<'_> {
    /// Copies or verifies tags, some at a time, as long as there is time to begin another. Tells whether all were tried.
    pub(crate) async fn copy(
        &self,
        registry: &Registry,
        copier: &Copier,
        wanted: Vec<Wanted>,
    ) -> Result<bool, WorkError> {
        let unknown = wanted.iter().filter(|wanted| wanted.held.is_none()).map(|wanted| &wanted.digest);
        copier.possession().learn(&unknown.collect::<Vec<_>>()).await?;
        let (all, mut tried, stopped) = (wanted.len(), 0, AtomicBool::new(false));
        let may_begin = || self.budget.may_begin() && !stopped.load(Ordering::Relaxed);
        let begun = stream::iter(wanted).take_while(|_| future::ready(may_begin()));
        let mut results = begun.map(|wanted| one(registry, copier, wanted)).buffer_unordered(TAGS_IN_FLIGHT);
        let mut stop = None;
        while let Some((tag, digest, result)) = results.next().await {
            self.progress.queue_ready().await;
            tried += 1;
            match result {
                Ok(Outcome::Unchanged) if self.is_adopted(&tag) => {
                    self.progress.outcome(&tag, Outcome::Repaired, Some(digest));
                }
                Ok(outcome @ (Outcome::Skipped | Outcome::Unchanged)) => self.progress.outcome(&tag, outcome, None),
                Ok(outcome) => self.progress.outcome(&tag, outcome, Some(digest)),
                Err(WorkError::Suspended) => tried -= 1,
                // What is under way comes to its end: its content is often not what is limited.
                Err(error @ WorkError::Limited(_)) => {
                    stopped.store(true, Ordering::Relaxed);
                    stop = Some(error);
                }
                Err(error) => self.failed(&tag, error)?,
            }
        }
        stop.map_or(Ok(tried == all), Err)
    }
}

/// Deals with one tag. One whose image does not come is asked for once more, by the tag: it moved or went meanwhile, or the
/// registry named a digest that it no longer has, whatever it says to that.
async fn one(registry: &Registry, copier: &Copier, wanted: Wanted) -> (TagName, Digest, Result<Outcome, WorkError>) {
    let Wanted { tag, mut digest, held, believed } = wanted;
    let mut result = match &held {
        Some(held) => copier.verify(&tag, held).await,
        None => as_it_is(copier, &tag, &digest, believed.clone()).await,
    };
    let is_refused = matches!(&result, Err(error) if error.is_refused());
    if is_refused
        && let Ok(upstream) = registry.read(&tag).await
        && upstream.digest != digest
    {
        digest = upstream.digest;
        if let Some(manifest) = upstream.manifest {
            copier.keep(&digest, &manifest);
        }
        result = as_it_is(copier, &tag, &digest, believed.clone()).await;
    }
    if matches!(result, Err(WorkError::Failed(_)))
        && held.is_none()
        && let Some(part) = copier.part_of(&tag, &digest, believed).await
    {
        return match part {
            Ok((outcome, ours)) => (tag, ours, Ok(outcome)),
            Err(error) => (tag, digest, Err(error)),
        };
    }
    (tag, digest, result)
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
