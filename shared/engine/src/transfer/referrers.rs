//! What is attached to the mirrored images: referrers, and cosign's tags. It follows its images: it comes with them,
//! and goes when they go. Nobody waits for it: where the registry wants to be left alone, the next sync asks.

use std::collections::{BTreeMap, BTreeSet};

use moorage_domain::{
    Digest, TagName,
    plan::HeldTag,
    referrers::{MAX_REFERRER_DEPTH, attached_tags, referrers_tag},
};

use crate::{
    error::WorkError,
    transfer::{attached::Attached, referrers_api::Api},
};

/// The most tags of attachments that one run deals with. Images have a handful each; a registry that names more is
/// making them up.
const MAX_ATTACHED: usize = 100_000;

/// What was found on one level: what refers to the images, or what refers to that, and so on.
struct Level {
    /// The attachments; those of the next level refer to them.
    tags: BTreeSet<TagName>,
    /// Whether there was time for everything.
    is_whole: bool,
}

impl Attached<'_> {
    /// Mirrors everything that is attached to the held images of the selected tags, then what is attached to that, up to
    /// a depth. Returns the tags to keep; nothing if the invocation's time is up.
    pub(crate) async fn mirror(
        &self,
        held: &mut BTreeMap<TagName, HeldTag>,
    ) -> Result<Option<BTreeSet<TagName>>, WorkError> {
        let (mut kept, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let (mut level, mut api) = (self.selected.clone(), Api::default());
        for _ in 0..MAX_REFERRER_DEPTH {
            let subjects = self.subjects(held, &level, &mut seen);
            let listed = self.listed_tags(held, &subjects, &kept).await?;
            self.copier.update(held);
            if !listed.is_whole {
                return Ok(None);
            }
            let merged = self.referrers(held, &subjects, &mut api).await?;
            self.copier.update(held);
            if !merged.is_whole {
                return Ok(None);
            }
            level = listed.tags.into_iter().chain(merged.tags).filter(|tag| !kept.contains(tag)).collect();
            kept.extend(level.iter().cloned());
            if level.is_empty() || kept.len() > MAX_ATTACHED {
                break;
            }
        }
        Ok(Some(kept))
    }

    /// The manifests of some tags that were not seen before, and whether this run has copied them.
    fn subjects(
        &self,
        held: &BTreeMap<TagName, HeldTag>,
        tags: &BTreeSet<TagName>,
        seen: &mut BTreeSet<Digest>,
    ) -> BTreeMap<Digest, bool> {
        let mut subjects = BTreeMap::new();
        for (tag, held) in tags.iter().filter_map(|tag| Some((tag, held.get(tag)?))) {
            for digest in std::iter::once(&held.digest).chain(&held.manifests) {
                if seen.insert(digest.clone()) {
                    subjects.insert(digest.clone(), self.is_new(tag));
                }
            }
        }
        subjects
    }

    /// Whether this run has copied a tag.
    fn is_new(&self, tag: &TagName) -> bool {
        self.invocation.copied.contains(tag) || self.copier.has_copied(tag)
    }

    /// Copies the attachments that the registry lists as tags, like any other tag.
    async fn listed_tags(
        &self,
        held: &BTreeMap<TagName, HeldTag>,
        subjects: &BTreeMap<Digest, bool>,
        kept: &BTreeSet<TagName>,
    ) -> Result<Level, WorkError> {
        let is_new = |tag: &TagName| self.listed.contains(tag) && !self.selected.contains(tag) && !kept.contains(tag);
        let tags: BTreeSet<TagName> = subjects.keys().flat_map(attached_tags).filter(is_new).collect();
        self.invocation.progress.attached(tags.len());
        let open: Vec<_> = tags.iter().filter(|tag| !self.invocation.done.contains(tag)).collect();
        let is_whole = self.invocation.copy(self.registry, self.copier, held, &open).await?;
        for tag in open.into_iter().filter(|_| is_whole && self.refresh) {
            let Some(held) = held.get(tag).filter(|_| !self.copier.has_copied(tag)) else { continue };
            // An index of ours, which may lack some of the registry's own.
            let Some(source) = &held.source else { continue };
            match self.copier.more_of(tag, source, held).await {
                Ok(None) => {}
                Ok(Some((outcome, digest))) => self.invocation.progress.moved(tag, outcome, digest, Some(held)),
                Err(WorkError::Suspended) => return Ok(Level { tags, is_whole: false }),
                Err(error) => self.failed(tag, error)?,
            }
        }
        Ok(Level { tags, is_whole })
    }

    /// Asks the registry's API what refers to the subjects, and keeps that as the index that clients without such an
    /// API look for.
    async fn referrers(
        &self,
        held: &BTreeMap<TagName, HeldTag>,
        subjects: &BTreeMap<Digest, bool>,
        api: &mut Api,
    ) -> Result<Level, WorkError> {
        let (mut tags, mut due) = (BTreeSet::new(), Vec::new());
        for (subject, is_new) in subjects {
            let tag = referrers_tag(subject);
            // What is held stays, unless the registry says that it is gone.
            if held.contains_key(&tag) {
                tags.insert(tag.clone());
            }
            let is_due = self.refresh || *is_new || self.is_new(&tag) || self.again.contains(subject);
            if is_due && !self.invocation.done.contains(&tag) {
                due.push(subject);
            }
        }
        let is_whole = self.ask(held, &due, api, &mut tags).await?;
        Ok(Level { tags, is_whole })
    }
}
