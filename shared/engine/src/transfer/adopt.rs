//! Tags that the bucket has and the table does not know: somebody restored one of the two, or a killed sync had published
//! a tag and not recorded it. A verify takes them in, so that they are treated like all others.
//!
//! The bucket's tags are gone through once in a run, a page after the other, and the run keeps how far it is. Only what
//! the table lacks is read, so 100,000 tags that it knows are 100 requests, one after the other: with 15 ms for each, a
//! second and a half. 100,000 that it lacks are three further requests each (the tag's link, the manifest's, the
//! manifest) and a share of a write to the table; with [`TAGS_IN_FLIGHT`] at once, some three minutes.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, future, stream};
use moorage_domain::{
    FailureReason, TagName,
    plan::HeldTag,
    run::{Compared, Outcome},
};
use moorage_state::Recorded;
use moorage_storage::StorageError;

use crate::{
    error::WorkError,
    sync::{invocation::Invocation, report},
    transfer::describe::BlobLinks,
};

/// Tags that are read at once: as many as syncs ask a registry for. They wait for S3, mostly; the most that one takes of
/// memory is a manifest and what that lists.
const TAGS_IN_FLIGHT: usize = 32;
/// Tags of a page: as many as one request lists.
const PAGE: usize = 1_000;

impl Invocation<'_> {
    /// Adds to `held` what only the bucket knows of. A tag whose manifest the repository does not link, or that cannot be
    /// read, is deleted: nobody can pull it, and if it is selected it comes again. [`WorkError::Suspended`] if there is no
    /// time for all; the next invocation goes on behind the last page that was done.
    pub(crate) async fn adopt(&self, held: &mut BTreeMap<TagName, HeldTag>) -> Result<(), WorkError> {
        let repository = &self.mirror.config.repository;
        loop {
            let after = match self.progress.compared() {
                Compared::Nothing => None,
                Compared::UpTo(tag) => Some(tag),
                Compared::All => return Ok(()),
            };
            if !self.budget.may_begin() {
                return Err(WorkError::Suspended);
            }
            let mut page = self.engine.storage.tags(repository, after.as_ref(), PAGE).await?;
            let (last, more) = (page.tags.last().cloned(), page.more);
            page.tags.retain(|tag| !held.contains_key(tag));
            self.take_in(page.tags, held).await?;
            self.progress.compared_to(last.filter(|_| more).map_or(Compared::All, Compared::UpTo));
        }
    }

    /// Takes in tags that the table lacks, some at a time.
    pub(crate) async fn take_in(
        &self,
        tags: Vec<TagName>,
        held: &mut BTreeMap<TagName, HeldTag>,
    ) -> Result<(), WorkError> {
        let (mut left, mut adopted) = (tags.len(), 0_usize);
        let begun = stream::iter(tags).take_while(|_| future::ready(self.budget.may_begin()));
        let one = async |tag: TagName| Ok::<_, WorkError>((self.take_in_one(&tag).await?, tag));
        let mut results = begun.map(one).buffer_unordered(TAGS_IN_FLIGHT);
        while let Some(result) = results.next().await {
            let (found, tag) = result?;
            left -= 1;
            self.progress.compared_one();
            if let Some(found) = found {
                adopted += 1;
                held.insert(tag, found);
            }
        }
        if adopted > 0 {
            let repository = &self.mirror.config.repository;
            tracing::warn!(%repository, tags = adopted, "the bucket had tags that the table did not know");
        }
        // What was taken in is known from now on, and is not taken in again.
        if left == 0 { Ok(()) } else { Err(WorkError::Suspended) }
    }

    /// Takes one tag in, or deletes it. Nothing if there is no such tag since.
    async fn take_in_one(&self, tag: &TagName) -> Result<Option<HeldTag>, WorkError> {
        let (engine, repository) = (self.engine, &self.mirror.config.repository);
        let link = match engine.storage.tag_link(repository, tag, Some(&self.owner)).await {
            Ok(None) => return Ok(None),
            Ok(Some(link)) => Some(link),
            Err(StorageError::NoLink(_)) => None,
            Err(error) => return Err(error.into()),
        };
        // A run of an earlier repository of the name has left it: it was never this one's.
        let is_stray = link.as_ref().is_some_and(|link| link.is_stray);
        let found = match link.filter(|link| !link.is_stray) {
            None => Ok(None),
            Some(link) => {
                let found = engine.describe(&self.owner, &link.digest, BlobLinks::Optional).await;
                // A verification tells by the link what it has taken in.
                let etag = (!self.verifies).then_some(link.etag);
                found.map(|found| found.map(|found| HeldTag { link: etag, ..found }))
            }
        };
        match found {
            Ok(Some(found)) => {
                self.claim.check()?;
                self.tags.put(tag, Recorded { held: found.clone(), is_first: false, log: None }).await?;
                return Ok(Some(found));
            }
            Ok(None) => {}
            Err(WorkError::Failed(failure)) if failure.reason == FailureReason::ContentRefused => {}
            Err(error) => return Err(error),
        }
        self.claim.check()?;
        engine.storage.delete_tag(repository, tag).await?;
        if !is_stray {
            self.tags.delete(tag, Some(report::deleted(&self.mirror.config, tag, None))).await?;
            self.progress.queue_ready().await;
            self.progress.outcome(tag, Outcome::Pruned, None);
        }
        Ok(None)
    }
}
