//! The last step: what becomes of the held tags that are not selected, and of those that this run did not see.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    TagName, Warning,
    plan::{self, Cause, HeldTag, Missing, Prune, Seen, Word},
    run::{Outcome, TagOutcome},
};
use moorage_upstream::{Registry, UpstreamError};

use crate::{
    error::WorkError,
    sync::{invocation::Invocation, report, tag_set::TagSet},
};

/// Tags whose end is confirmed at once.
const HEADS_IN_FLIGHT: usize = 32;
/// Tags that are deleted before the claim is renewed again: they take a second or two.
const RENEWAL: usize = 25;

/// What a complete list has shown.
pub(crate) struct Shown {
    /// How many tags the registry lists.
    pub(crate) listed: usize,
    /// The tags that stay: those that are mirrored, and those that wait.
    pub(crate) kept: BTreeSet<TagName>,
    /// The held tags that the gate takes out, whatever the root rule says.
    pub(crate) out: BTreeSet<TagName>,
}

/// A tag that is not to stay, and why.
type Obsolete = (TagName, Cause);

/// What becomes of the tags that may go.
#[derive(Default)]
struct Confirmed {
    delete: Vec<Obsolete>,
    undecided: Vec<Obsolete>,
    /// How often they have been missing now, where that has changed.
    missing: BTreeMap<TagName, Option<Missing>>,
    /// Why the registry may not be asked for the others now.
    stop: Option<UpstreamError>,
}

impl Invocation<'_> {
    /// Deletes what is held and not to stay, as far as that is certain and not too much. Returns what somebody should look
    /// at.
    pub(crate) async fn prune(
        &self,
        registry: &Registry,
        held: &BTreeMap<TagName, HeldTag>,
        Shown { listed, kept, out }: Shown,
    ) -> Result<Option<Warning>, WorkError> {
        let config = &self.mirror.config;
        let matched = self.select(held.keys().filter(|tag| !out.contains(*tag)).cloned().collect())?;
        let matched = matched.into_iter().collect();
        let seen = Seen { listed, kept: &kept, matched: &matched };
        let Prune { delete, held_back, limit } = plan::prune(held, seen, config.policy.deletion_limit);
        let Confirmed { delete, undecided, mut missing, stop } = self.confirm(registry, held, delete).await;
        self.delete(&delete, held).await?;
        if let Some(error) = stop {
            return Err(error.into());
        }
        // What is held back counts as missing, too: it need not be missed as often again once it may go.
        for (tag, _) in held_back.iter().filter(|(_, cause)| *cause == Cause::Vanished) {
            missing.insert(tag.clone(), Some(self.missing(held, tag)));
        }
        self.hold_back(held_back.iter().chain(&undecided)).await;
        let (_, failed) = self.progress.failures();
        let deleted = delete.iter().map(|(tag, _)| tag).collect();
        self.record_missed(held, &kept, &deleted, &failed, &missing).await?;
        let deselected = held_back.iter().filter(|(_, cause)| *cause == Cause::Deselected).count() as u64;
        let [tags, undecided] = [held_back.len() as u64, undecided.len() as u64];
        Ok(match limit {
            _ if listed == 0 && !held.is_empty() => Some(Warning::ListEmpty { tags: held.len() as u64 }),
            Some(limit) if tags > 0 => Some(Warning::DeletionsHeld { tags, limit: limit as u64, deselected }),
            _ => (undecided > 0).then_some(Warning::ListIncomplete { tags: undecided }),
        })
    }

    async fn hold_back(&self, tags: impl Iterator<Item = &Obsolete>) {
        for (tag, cause) in tags {
            self.progress.queue_ready().await;
            self.progress.obsolete(tag, Outcome::Held, *cause, self.judgement(tag));
        }
    }

    /// How often a tag has been missing, with this run.
    fn missing(&self, held: &BTreeMap<TagName, HeldTag>, tag: &TagName) -> Missing {
        Missing::again(held.get(tag).and_then(|held| held.missing), self.run)
    }

    /// Asks the registry for the tags that vanished: a list may lack what was moved from page to page while it was read,
    /// and some registries' lists lag behind. What the rule does not select is not asked for, nor is what was made here.
    /// Where the registry may not be asked for all of them now, of those that vanished the ones that it said to be gone go.
    async fn confirm(&self, registry: &Registry, held: &BTreeMap<TagName, HeldTag>, tags: Vec<Obsolete>) -> Confirmed {
        let is_made_here = |tag: &TagName| held.get(tag).is_some_and(HeldTag::is_made_here);
        let certain = |(tag, cause): &Obsolete| *cause == Cause::Deselected || is_made_here(tag);
        let (delete, open): (Vec<_>, Vec<_>) = tags.into_iter().partition(certain);
        let mut confirmed = Confirmed { delete, ..Confirmed::default() };
        let goes = |tag: &TagName, word: Word| {
            plan::goes(word, self.missing(held, tag), self.mirror.config.policy.deletion_grace)
        };
        let ask = async |tag: Obsolete| (self.knowledge.word(registry, &tag.0, |word| goes(&tag.0, word)).await, tag);
        let mut answers = stream::iter(open).map(ask).buffer_unordered(HEADS_IN_FLIGHT);
        while let Some((answer, tag)) = answers.next().await {
            let word = match answer {
                Ok(word) => word,
                Err(error) => {
                    confirmed.stop = Some(error);
                    confirmed.delete.retain(|(_, cause)| *cause == Cause::Vanished);
                    break;
                }
            };
            let missing = match word {
                Word::There => Some(None),
                Word::Unclear => Some(Some(self.missing(held, &tag.0))),
                Word::Gone | Word::Silent => None,
            };
            confirmed.missing.extend(missing.map(|missing| (tag.0.clone(), missing)));
            if goes(&tag.0, word) { confirmed.delete.push(tag) } else { confirmed.undecided.push(tag) }
        }
        // What vanished first, as the plan has it.
        confirmed.delete.sort_unstable_by(|(one, why), (other, because)| (why, one).cmp(&(because, other)));
        confirmed
    }

    /// Deletes tags: from the bucket first, so that a killed sync leaves a tag that the next one deletes again, or brings back
    /// if it is wanted by then.
    async fn delete(&self, tags: &[Obsolete], held: &BTreeMap<TagName, HeldTag>) -> Result<(), WorkError> {
        for (number, (tag, cause)) in tags.iter().enumerate() {
            self.progress.queue_ready().await;
            // Somebody else may have published what this run takes for obsolete, once its claim is lost.
            if number % RENEWAL == 0 {
                self.claim.renew().await?;
            }
            self.claim.check()?;
            self.claim.changes_tag(tag);
            self.engine.storage.delete_tag(&self.mirror.config.repository, tag).await?;
            let log = report::deleted(&self.mirror.config, tag, Some(*cause));
            self.tags.delete(tag, Some(log)).await?;
            self.claim.recorded(tag);
            let (gate, from) = (self.judgement(tag), held.get(tag).map(|held| held.digest.clone()));
            let pruned = TagOutcome::new(tag.clone(), Outcome::Pruned);
            self.progress.record(TagOutcome { cause: Some(*cause), gate, from, ..pruned });
        }
        Ok(())
    }

    /// Records of the tags that stay although this run did not see them when they were last seen, and how often they have
    /// been missing. What an earlier run has recorded is written again only where it changes.
    async fn record_missed(
        &self,
        held: &BTreeMap<TagName, HeldTag>,
        kept: &BTreeSet<TagName>,
        deleted: &BTreeSet<&TagName>,
        failed: &TagSet,
        missing: &BTreeMap<TagName, Option<Missing>>,
    ) -> Result<(), WorkError> {
        // What waits has another image at the registry.
        let is_seen = |tag: &TagName| kept.contains(tag) && !failed.contains(tag) && !self.waits(tag);
        let missed = |tag: &TagName| !deleted.contains(tag) && !is_seen(tag);
        let last_complete = self.mirror.state.last_complete;
        // Once it has been missing so often, it is asked for each time.
        let grace = self.mirror.config.policy.deletion_grace.unwrap_or(plan::DELETION_GRACE.into());
        let counted = |held: &HeldTag| held.missing.is_some_and(|missing| u64::from(missing.listings) >= grace);
        let seen = held.iter().filter(|(tag, _)| missed(tag)).filter_map(|(tag, held)| {
            // One that is listed is not missing, whatever failed of it.
            let missing = if kept.contains(tag) { Some(&None) } else { missing.get(tag) };
            let missing =
                missing.copied().filter(|missing| missing.is_none() || !counted(held)).unwrap_or(held.missing);
            let is_known = held.last_seen.is_some() && missing == held.missing;
            (!is_known).then(|| (tag, Some(held.seen(last_complete)), missing))
        });
        self.set_seen(seen).await
    }
}
