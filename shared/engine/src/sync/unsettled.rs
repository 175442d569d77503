//! Tags that the bucket has otherwise than the table says: who changes one changes the bucket first, and may be killed, be
//! cancelled, or lose the table before that is recorded. Most such tags come to the same again by what any sync does. Those
//! do not where the registry, or the rule, has gone back to what the table says.
//!
//! Whoever claims the mirror after that compares them: the keys of all tags, a thousand with a request.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, future, stream};
use moorage_domain::{TagName, plan::HeldTag, status::Unsettled};

use crate::{error::WorkError, sync::invocation::Invocation, transfer::copier::Copier};

/// Tags that are mended at once: most often there are a few.
const TAGS_IN_FLIGHT: usize = 16;

impl Invocation<'_> {
    /// Whether somebody before may have left tags so.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.mirror.state.sync_unsettled == Some(Unsettled::Earlier)
    }

    /// Finds the tags that somebody before has left so, if there may be any.
    pub(crate) async fn look_for_unsettled(&self, held: &BTreeMap<TagName, HeldTag>) -> Result<(), WorkError> {
        if !self.is_unsettled() {
            return Ok(());
        }
        let repository = &self.mirror.config.repository;
        let mut unsettled: BTreeSet<TagName> = held.keys().cloned().collect();
        let compare = |tag: TagName, etag: String| {
            let is_same = held.get(&tag).is_some_and(|held| held.link.as_ref().is_none_or(|link| *link == etag));
            if is_same {
                unsettled.remove(&tag)
            } else {
                unsettled.insert(tag)
            };
        };
        self.engine.storage.each_tag(repository, compare).await?;
        if !unsettled.is_empty() {
            tracing::info!(%repository, tags = unsettled.len(), "tags are otherwise in the bucket than in the table");
        }
        self.claim.looked(unsettled);
        Ok(())
    }

    /// Takes in what nobody has recorded, once the others are copied: it is here, and may have to go.
    pub(crate) async fn take_in_unsettled(&self, held: &mut BTreeMap<TagName, HeldTag>) -> Result<(), WorkError> {
        let strange: Vec<_> = self.claim.unsettled().into_iter().filter(|tag| !held.contains_key(tag)).collect();
        self.take_in(strange.clone(), held).await?;
        for tag in &strange {
            self.claim.recorded(tag);
        }
        Ok(())
    }

    /// Gives the tags that stay as they were the links that the table says, with all that they need, as far as this run has
    /// `asked` for them. Those for which that fails now, or there is no time, are left to the next sync, as are those that
    /// failed before.
    pub(crate) async fn settle_tags(
        &self,
        copier: &Copier,
        held: &BTreeMap<TagName, HeldTag>,
        asked: impl Fn(&TagName) -> bool,
    ) -> Result<(), WorkError> {
        let (_, failed) = self.progress.failures();
        let unsettled = self.claim.unsettled();
        // What is refused stays what it was.
        let stays = |tag: &&TagName| asked(tag) && (!failed.contains(tag) || self.is_refused(tag));
        let open = unsettled.iter().filter(stays).filter_map(|tag| Some((tag, held.get(tag)?)));
        let begun = stream::iter(open).take_while(|_| future::ready(self.budget.may_begin()));
        let mend = async |(tag, held): (&TagName, &HeldTag)| (tag.clone(), copier.verify(tag, held).await);
        let mut mended = begun.map(mend).buffer_unordered(TAGS_IN_FLIGHT);
        let mut stop = None;
        while let Some((tag, result)) = mended.next().await {
            match result {
                Ok(_) => self.claim.recorded(&tag),
                Err(error @ (WorkError::Failed(_) | WorkError::Limited(_))) => {
                    tracing::warn!(%tag, ?error, "a tag is otherwise in the bucket than in the table");
                }
                // What is under way comes to its end.
                Err(error) => stop = stop.or(Some(error)),
            }
        }
        stop.map_or(Ok(()), Err)
    }
}
