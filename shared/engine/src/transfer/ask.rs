//! Asking a registry's API what refers to images.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering::Relaxed,
};

use futures_util::{StreamExt as _, future, stream};
use moorage_domain::{Digest, Fallback, TagName, plan::HeldTag, referrers::referrers_tag};
use moorage_upstream::{Referrers, UpstreamError};
use tokio::sync::Semaphore;

use crate::{
    error::WorkError,
    transfer::{
        attached::Attached,
        referrers_api::{Api, Asked, Stop},
    },
};

/// Subjects whose referrers are asked for at once.
const SUBJECTS_IN_FLIGHT: usize = 16;
/// How often a registry's API may refuse, after it has answered before, until it is not asked any more in a run.
const MAX_REFUSALS: u32 = 3;

impl Attached<'_> {
    /// Asks the registry's API what refers to the subjects, and adds what it says to `tags`. Tells whether there was time for
    /// all of them.
    pub(crate) async fn ask(
        &self,
        held: &BTreeMap<TagName, HeldTag>,
        due: &[&Digest],
        api: &mut Api,
        tags: &mut BTreeSet<TagName>,
    ) -> Result<bool, WorkError> {
        // The first answer shows whether there is such an API; then many are asked at once.
        let (first, rest) = due.split_at(due.len().min(1));
        for (batch, at_once) in [(first, 1), (rest, SUBJECTS_IN_FLIGHT)] {
            if api.exists == Some(false) {
                break;
            }
            if !self.some(held, (batch, at_once), api, tags).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Asks for some subjects, so many at once, and adds to `tags` what there is; takes away what is not. Tells whether there
    /// was time for all of them.
    async fn some(
        &self,
        held: &BTreeMap<TagName, HeldTag>,
        (batch, at_once): (&[&Digest], usize),
        api: &mut Api,
        tags: &mut BTreeSet<TagName>,
    ) -> Result<bool, WorkError> {
        let stop = Stop::default();
        let turn = Semaphore::new(1);
        let begun = stream::iter(batch.iter().copied()).take_while(|_| future::ready(!stop.beginning.load(Relaxed)));
        let one = async |subject| (subject, self.one(held, subject, &stop, &turn).await);
        // All of them go on while one is kept: what they have of the registry, a place or the lock of who logs in, would never
        // be free otherwise.
        let mut answers = begun.map(one).buffer_unordered(at_once);
        let mut left: BTreeSet<&Digest> = batch.iter().copied().collect();
        let (mut is_whole, mut failed) = (true, None);
        let is_given_up = || self.invocation.meter.fallbacks().contains(Fallback::Referrers);
        if is_given_up() {
            stop.all();
        }
        while let Some((subject, asked)) = answers.next().await {
            let tag = referrers_tag(subject);
            match asked {
                Asked::Unanswered => continue,
                Asked::Refused(error) => self.refused(api, subject, &error),
                Asked::Answered { exists, merged } => {
                    api.exists = api.exists.or(exists);
                    match merged {
                        Ok(true) => drop(tags.insert(tag)),
                        Ok(false) => drop(tags.remove(&tag)),
                        Err(WorkError::Suspended) => {
                            is_whole = false;
                            stop.all();
                        }
                        Err(error) => {
                            self.invocation.progress.attached(usize::from(!self.listed.contains(&tag)));
                            match self.failed(&tag, error) {
                                Ok(()) => drop(tags.insert(tag)),
                                Err(error) => {
                                    // What is on its way is answered, and need not be asked again when the sync goes on.
                                    stop.beginning.store(true, Relaxed);
                                    failed = failed.or(Some(error));
                                }
                            }
                        }
                    }
                }
            }
            left.remove(subject);
            if is_given_up() {
                stop.all();
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if is_whole && !left.is_empty() {
            self.losses().unasked(left.len());
            left.into_iter().filter(|_| !api.is_closed).for_each(|subject| self.losses().ask_again(subject));
        }
        Ok(is_whole)
    }

    /// Asks what refers to one subject, and keeps that when it is its `turn`: lists are large.
    async fn one(&self, held: &BTreeMap<TagName, HeldTag>, subject: &Digest, stop: &Stop, turn: &Semaphore) -> Asked {
        let answer = tokio::select! {
            biased;
            () = stop.asking.cancelled() => return Asked::Unanswered,
            answer = self.invocation.knowledge.referrers(self.registry, subject) => answer,
        };
        let exists = match answer {
            Err(error) if is_refusal(&error) => return Asked::Refused(error),
            Ok(ref list) => Some(list.is_some()),
            Err(_) => None,
        };
        // Nobody closes it.
        let _turn = turn.acquire().await;
        if !self.invocation.budget.may_begin() {
            return Asked::Answered { exists: None, merged: Err(WorkError::Suspended) };
        }
        if let Ok(Some(Referrers { cut: Some(error), .. })) = &answer {
            self.lost(subject, error);
            self.losses().missing(1);
        }
        let tag = referrers_tag(subject);
        // Boxed: most images have nothing that is to be kept.
        Asked::Answered { exists, merged: Box::pin(self.merge(&tag, held.get(&tag), answer)).await }
    }

    /// Notes that the registry did not say what refers to an image. The image was copied, and what was attached to it
    /// stays; where it looks as if the API was refused altogether, it is not asked any more.
    fn refused(&self, api: &mut Api, subject: &Digest, error: &UpstreamError) {
        self.lost(subject, error);
        self.losses().unasked(1);
        api.refusals += 1;
        api.is_closed = !is_passing(error);
        // The images are there: nobody waits longer for what is attached to them than for any other answer.
        let is_limited = matches!(error, UpstreamError::RateLimited { .. });
        if api.exists.is_none() || is_limited || api.refusals >= MAX_REFUSALS {
            self.invocation.meter.fall_back([Fallback::Referrers]);
        }
    }

    /// Notes why it is not known, or not all, what refers to an image. After what may have passed soon the next sync asks
    /// again; otherwise that waits until all images are asked for.
    fn lost(&self, subject: &Digest, error: &UpstreamError) {
        let repository = &self.invocation.mirror.config.repository;
        tracing::warn!(%repository, %subject, %error, "the registry did not say what refers to an image");
        if is_passing(error) {
            self.losses().ask_again(subject);
        }
    }
}

/// Whether it is the API that refuses, for now or for ever, and not a list that is too much.
fn is_refusal(error: &UpstreamError) -> bool {
    !matches!(error, UpstreamError::TooLarge { .. } | UpstreamError::TooMany { .. })
}

/// Whether the same question may well be answered soon.
fn is_passing(error: &UpstreamError) -> bool {
    match error {
        UpstreamError::Timeout(_)
        | UpstreamError::Connection { .. }
        | UpstreamError::Truncated { .. }
        | UpstreamError::RateLimited { .. } => true,
        UpstreamError::Status { status, .. } | UpstreamError::Storage { status, .. } => *status >= 500,
        _ => false,
    }
}
