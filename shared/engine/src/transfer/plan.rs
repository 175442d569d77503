//! What is to be done about each tag: the registry's digests against those that are held.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use futures_util::{StreamExt as _, future, stream};
use moorage_domain::{
    Digest, TagName,
    plan::{self, HeldTag, TagAction},
    run::Outcome,
};
use moorage_upstream::Registry;

use crate::{
    error::WorkError,
    sync::invocation::Invocation,
    transfer::{copier::Copier, publish::Believed},
};

/// Tags whose digests are asked for at once. A HEAD is cheap for both sides, and 32 hide the latency of a distant one.
const HEADS_IN_FLIGHT: usize = 32;

/// A tag that is to be dealt with.
pub(crate) struct Wanted {
    pub(crate) tag: TagName,
    /// What it is to point to.
    pub(crate) digest: Digest,
    /// What is held, if that is what the registry has: then it is only verified.
    pub(crate) held: Option<HeldTag>,
    /// What the tag's link is.
    pub(crate) believed: Believed,
}

impl Invocation<'_> {
    /// Asks the registry for the digests of the tags that are still open. Returns the tags to deal with; the others have
    /// an outcome.
    pub(crate) async fn plan(
        &self,
        registry: &Registry,
        copier: &Copier,
        held: &BTreeMap<TagName, HeldTag>,
        open: &[&TagName],
    ) -> Result<Vec<Wanted>, WorkError> {
        let resolve = async |tag| (tag, self.resolve(registry, held, tag).await);
        // What need not be asked comes first, and is recorded whatever becomes of the questions.
        let (said, others): (Vec<_>, Vec<_>) = open.iter().copied().partition(|tag| self.said(held, tag).is_some());
        let stopped = AtomicBool::new(false);
        let open = stream::iter(said.into_iter().chain(others));
        let open = open.take_while(|_| future::ready(!stopped.load(Ordering::Relaxed)));
        let mut resolved = open.map(resolve).buffer_unordered(HEADS_IN_FLIGHT);
        let (mut wanted, mut seen_again, mut stop) = (Vec::new(), Vec::new(), Ok(()));
        let architectures = &self.mirror.config.architecture_filter;
        while let Some((tag, resolved)) = resolved.next().await {
            self.progress.queue_ready().await;
            let upstream = match resolved {
                Ok(upstream) => upstream,
                Err(error) => {
                    match self.failed(tag, error.into()) {
                        Ok(()) => continue,
                        // What is under way comes to its end: what is answered is kept for the next invocation.
                        Err(error @ WorkError::Limited(_)) => {
                            stopped.store(true, Ordering::Relaxed);
                            stop = Err(error);
                            continue;
                        }
                        Err(error) => {
                            stop = Err(error);
                            break;
                        }
                    }
                }
            };
            // The record of an earlier repository of the name says nothing of this one.
            let held = held.get(tag).filter(|held| held.generation == self.owner.generation);
            if self.is_skipped(tag, &upstream.digest) {
                self.progress.outcome(tag, Outcome::Skipped, None);
                seen_again.extend(held.filter(|it| it.missing.is_some()).map(|held| (tag, held.last_seen, None)));
                continue;
            }
            let kept = match plan::action(held, &upstream.digest, architectures) {
                TagAction::Keep => held,
                TagAction::Copy => None,
            };
            if kept.is_some_and(|kept| kept.last_seen.is_some()) {
                seen_again.push((tag, None, None));
            }
            match kept {
                Some(_) if !self.verifies => self.progress.outcome(tag, Outcome::Unchanged, None),
                _ => {
                    if let Some(manifest) = upstream.manifest {
                        copier.keep(&upstream.digest, &manifest);
                    }
                    let (tag, digest, believed) = (tag.clone(), upstream.digest, Believed::of(held));
                    wanted.push(Wanted { tag, digest, held: kept.cloned(), believed });
                }
            }
        }
        self.set_seen(seen_again).await?;
        stop?;
        wanted.sort_unstable_by(|one, other| one.tag.cmp(&other.tag));
        Ok(wanted)
    }
}
