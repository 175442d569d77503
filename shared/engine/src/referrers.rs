//! What is attached to the mirrored images: referrers, and cosign's tags. It follows its images: it comes with them,
//! and goes when they go.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, MediaType, TagName,
    plan::HeldTag,
    referrers::{MAX_REFERRER_DEPTH, Referrer, attached_tags, index, parse, referrers_tag},
    run::Outcome,
};
use moorage_storage::{Present, Stored, Verified};
use moorage_upstream::{Registry, UpstreamError};

use crate::{clock::now, copy::Copier, error::WorkError, publish::Believed, steps::Steps};

/// Subjects whose referrers are asked for at once.
const SUBJECTS_IN_FLIGHT: usize = 16;
/// The most tags of attachments that one run deals with. Images have a handful each; a registry that names more is
/// making them up.
const MAX_ATTACHED: usize = 100_000;

/// Everything that the attachments of one run need.
pub(crate) struct Attached<'a> {
    pub(crate) steps: &'a Steps<'a>,
    pub(crate) registry: &'a Registry,
    pub(crate) copier: &'a Copier,
    /// The tags that the registry lists and that look like attachments.
    pub(crate) listed: &'a BTreeSet<TagName>,
    /// The tags that the rule selects: dealt with already.
    pub(crate) selected: &'a BTreeSet<TagName>,
    /// Whether what refers to unchanged images is asked for, too.
    pub(crate) refresh: bool,
}

/// What one round came to.
struct Round {
    /// The attachments that it found; those of the next round refer to them.
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
        let (mut round, mut has_api) = (self.selected.clone(), None);
        for _ in 0..MAX_REFERRER_DEPTH {
            let subjects = self.subjects(held, &round, &mut seen);
            let listed = self.listed_tags(held, &subjects, &kept).await?;
            self.copier.update(held);
            if !listed.is_whole {
                return Ok(None);
            }
            let merged = self.referrers(held, &subjects, &mut has_api).await?;
            self.copier.update(held);
            if !merged.is_whole {
                return Ok(None);
            }
            round = listed.tags.into_iter().chain(merged.tags).filter(|tag| !kept.contains(tag)).collect();
            kept.extend(round.iter().cloned());
            if round.is_empty() || kept.len() > MAX_ATTACHED {
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
        self.steps.copied.contains(tag) || self.copier.has_copied(tag)
    }

    /// Copies the attachments that the registry lists as tags, like any other tag.
    async fn listed_tags(
        &self,
        held: &BTreeMap<TagName, HeldTag>,
        subjects: &BTreeMap<Digest, bool>,
        kept: &BTreeSet<TagName>,
    ) -> Result<Round, WorkError> {
        let is_new = |tag: &TagName| self.listed.contains(tag) && !self.selected.contains(tag) && !kept.contains(tag);
        let tags: BTreeSet<TagName> = subjects.keys().flat_map(attached_tags).filter(is_new).collect();
        self.steps.progress.attached(tags.len());
        let open: Vec<_> = tags.iter().filter(|tag| !self.steps.done.contains(tag)).collect();
        let wanted = self.steps.plan(self.registry, self.copier, held, &open).await?;
        let is_whole = self.steps.copy(self.registry, self.copier, wanted).await?;
        Ok(Round { tags, is_whole })
    }

    /// Asks the registry's API what refers to the subjects, and keeps that as the index that clients without such an
    /// API look for.
    async fn referrers(
        &self,
        held: &BTreeMap<TagName, HeldTag>,
        subjects: &BTreeMap<Digest, bool>,
        has_api: &mut Option<bool>,
    ) -> Result<Round, WorkError> {
        let (mut tags, mut due) = (BTreeSet::new(), Vec::new());
        for (subject, is_new) in subjects {
            let tag = referrers_tag(subject);
            // What is held stays, unless the registry says that it is gone.
            if held.contains_key(&tag) {
                tags.insert(tag.clone());
            }
            if (self.refresh || *is_new || self.is_new(&tag)) && !self.steps.done.contains(&tag) {
                due.push((subject, tag));
            }
        }
        let ask = async |(subject, tag)| (tag, self.steps.knowledge.referrers(self.registry, subject).await);
        // The first answer shows whether there is such an API; then many are asked at once.
        let (first, rest) = due.split_at(due.len().min(1));
        for (batch, at_once) in [(first, 1), (rest, SUBJECTS_IN_FLIGHT)] {
            let batch = batch.iter().take(if *has_api == Some(false) { 0 } else { usize::MAX }).cloned();
            let mut answers = stream::iter(batch).map(ask).buffer_unordered(at_once);
            while let Some((tag, answer)) = answers.next().await {
                if !self.steps.budget.may_begin() {
                    return Ok(Round { tags, is_whole: false });
                }
                match &answer {
                    Ok(Some(_)) => *has_api = Some(true),
                    Ok(None) => drop(has_api.get_or_insert(false)),
                    Err(_) => {}
                }
                match self.merge(&tag, held.get(&tag), answer).await {
                    Ok(true) => drop(tags.insert(tag)),
                    Ok(false) => drop(tags.remove(&tag)),
                    Err(WorkError::Suspended) => return Ok(Round { tags, is_whole: false }),
                    Err(error) => {
                        self.steps.progress.attached(usize::from(!self.listed.contains(&tag)));
                        self.steps.failed(&tag, error)?;
                        tags.insert(tag);
                    }
                }
            }
        }
        Ok(Round { tags, is_whole: true })
    }

    /// Makes the tag hold what the API answered, and what the registry's own tag of that name holds, if it has one.
    /// Tells whether there is anything.
    async fn merge(
        &self,
        tag: &TagName,
        held: Option<&HeldTag>,
        answer: Result<Option<Vec<Referrer>>, UpstreamError>,
    ) -> Result<bool, WorkError> {
        let own = held.filter(|_| self.listed.contains(tag));
        let Some(mut referrers) = answer? else { return Ok(held.is_some()) };
        let known = match own {
            Some(own) => self.read(&own.digest).await?,
            None => Vec::new(),
        };
        let has_more = referrers.iter().any(|referrer| known.iter().all(|known| known.digest != referrer.digest));
        if own.is_some() && !has_more {
            return Ok(true);
        }
        referrers.extend(known);
        if referrers.is_empty() {
            return Ok(false);
        }
        let bytes = index(referrers)?;
        let digest = Digest::sha256(&bytes);
        self.steps.progress.attached(usize::from(!self.listed.contains(tag)));
        let kept = held.filter(|held| held.digest == digest);
        if let Some(kept) = kept {
            let verified = if self.steps.verifies { self.copier.verify(tag, kept).await? } else { Outcome::Unchanged };
            self.steps.progress.outcome(tag, verified, None);
            return Ok(true);
        }
        let storage = &self.steps.engine.storage;
        let index = Verified::new(&self.steps.owner, &digest, Bytes::from(bytes.clone()))?;
        storage.put_manifest(&index, MediaType::OciIndex, Present::Keep).await?;
        drop(index);
        // The registry does not have it.
        self.copier.keep(&digest, &bytes);
        drop(bytes);
        let source = own.map(|own| own.source.clone().unwrap_or_else(|| own.digest.clone()));
        let outcome = self.copier.tag(tag, &digest, source, Believed::of(held)).await?;
        self.steps.progress.outcome(tag, outcome, Some(digest));
        Ok(true)
    }

    /// The referrers in an index that the repository has.
    async fn read(&self, digest: &Digest) -> Result<Vec<Referrer>, WorkError> {
        let storage = &self.steps.engine.storage;
        let Some(proven) = storage.links_manifest(&self.steps.owner, digest).await? else { return Ok(Vec::new()) };
        Ok(match storage.manifest(&proven).await? {
            Stored::Sound(bytes) => parse(&bytes)?,
            Stored::Damaged | Stored::Missing => Vec::new(),
        })
    }
}

impl Steps<'_> {
    /// Whether it is time to ask what refers to images that have not changed.
    pub(crate) async fn referrers_due(&self) -> Result<bool, WorkError> {
        if self.verifies {
            return Ok(true);
        }
        let checked = self.engine.table.referrers_checked(&self.mirror.config.repository).await?;
        Ok(checked.is_none_or(|checked| checked.plus(self.engine.settings.referrers_refresh) <= now()))
    }
}
