//! What is attached to the mirrored images: referrers, and cosign's tags. It follows its images: it comes with them,
//! and goes when they go.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, Fallback, TagName,
    plan::HeldTag,
    referrers::{MAX_REFERRER_DEPTH, ReferrerList, attached_tags, index, is_servable, parse, referrers_tag},
    run::Outcome,
};
use moorage_storage::Stored;
use moorage_upstream::{Registry, UpstreamError};

use crate::{clock::now, copy::Copier, error::WorkError, gather::Gathered, publish::Believed, steps::Steps};

/// Subjects whose referrers are asked for at once.
const SUBJECTS_IN_FLIGHT: usize = 16;
/// How often a registry's API may refuse, after it has answered before, until it is not asked any more in a run.
const MAX_REFUSALS: u32 = 3;
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

/// What is known of the registry's referrers API.
#[derive(Default)]
struct Api {
    /// Whether there is one; nothing before the first answer.
    exists: Option<bool>,
    /// How often it has refused.
    refusals: u32,
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
        let (mut round, mut api) = (self.selected.clone(), Api::default());
        for _ in 0..MAX_REFERRER_DEPTH {
            let subjects = self.subjects(held, &round, &mut seen);
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
        api: &mut Api,
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
            if api.exists == Some(false) {
                break;
            }
            let mut answers = stream::iter(batch.iter().cloned()).map(ask).buffer_unordered(at_once);
            let mut left = batch.len();
            while left > 0 {
                if self.steps.meter.fallbacks().contains(Fallback::Referrers) {
                    self.copier.losses.unasked(left);
                    break;
                }
                let Some((tag, answer)) = answers.next().await else { break };
                left -= 1;
                if !self.steps.budget.may_begin() {
                    return Ok(Round { tags, is_whole: false });
                }
                match &answer {
                    Ok(list) => drop(api.exists.get_or_insert(list.is_some())),
                    Err(error) if is_refusal(error) => {
                        self.refused(api, &tag, error);
                        continue;
                    }
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

    /// Notes that the registry did not say what refers to an image. The image was copied, and what was attached to it
    /// stays; where it looks as if the API was refused altogether, it is not asked any more.
    fn refused(&self, api: &mut Api, tag: &TagName, error: &UpstreamError) {
        let repository = &self.steps.mirror.config.repository;
        tracing::warn!(%repository, %tag, %error, "the registry did not say what refers to an image");
        self.copier.losses.unasked(1);
        api.refusals += 1;
        if api.exists.is_none() || api.refusals >= MAX_REFUSALS {
            self.steps.meter.fall_back([Fallback::Referrers]);
        }
    }

    /// Makes the tag hold what the API answered, as far as it can be had, and what the registry's own tag of that name
    /// holds, if it has one. Tells whether there is anything.
    async fn merge(
        &self,
        tag: &TagName,
        held: Option<&HeldTag>,
        answer: Result<Option<ReferrerList>, UpstreamError>,
    ) -> Result<bool, WorkError> {
        let own = held.filter(|_| self.listed.contains(tag));
        let Some(ReferrerList { mut referrers, unreadable, .. }) = answer? else { return Ok(held.is_some()) };
        let losses = &self.copier.losses;
        losses.missing(unreadable.saturating_add(referrers.iter().filter(|it| !is_servable(it)).count()));
        referrers.retain(is_servable);
        let known = match own {
            Some(own) => self.read(&own.digest).await?,
            None => ReferrerList::default(),
        };
        if own.is_some() && !known.is_of_referrers() && self.selected.contains(tag) {
            // It is an image that somebody wants.
            if !referrers.is_empty() {
                losses.taken();
            }
            return Ok(true);
        }
        let known = if known.is_of_referrers() { known.referrers } else { Vec::new() };
        let has_more = referrers.iter().any(|referrer| known.iter().all(|known| known.digest != referrer.digest));
        if own.is_some() && !has_more {
            return Ok(true);
        }
        referrers.extend(known);
        if referrers.is_empty() {
            return Ok(false);
        }
        let mut bytes = index(referrers.clone())?;
        // What is not held already has to come, or is not listed.
        if held.is_none_or(|held| held.digest != Digest::sha256(&bytes)) {
            let Gathered { had, passing } = self.copier.gather(referrers).await?;
            if passing.is_some() {
                losses.unasked(1);
            }
            if had.is_empty() {
                return Ok(held.is_some());
            }
            bytes = index(had)?;
        }
        let digest = Digest::sha256(&bytes);
        self.steps.progress.attached(usize::from(!self.listed.contains(tag)));
        let kept = held.filter(|held| held.digest == digest);
        if let Some(kept) = kept {
            let verified = if self.steps.verifies { self.copier.verify(tag, kept).await? } else { Outcome::Unchanged };
            self.steps.progress.outcome(tag, verified, None);
            return Ok(true);
        }
        let digest = self.copier.keep_index(bytes).await?;
        let source = own.map_or(&digest, |own| own.source.as_ref().unwrap_or(&own.digest)).clone();
        let outcome = self.copier.tag(tag, &digest, Some(source), Believed::of(held)).await?;
        self.steps.progress.outcome(tag, outcome, Some(digest));
        Ok(true)
    }

    /// The referrers in an index that the repository has.
    async fn read(&self, digest: &Digest) -> Result<ReferrerList, WorkError> {
        let storage = &self.steps.engine.storage;
        let linked = storage.links_manifest(&self.steps.owner, digest).await?;
        let Some(proven) = linked else { return Ok(ReferrerList::default()) };
        Ok(match storage.manifest(&proven).await? {
            Stored::Sound(bytes) => parse(&bytes)?,
            Stored::Damaged | Stored::Missing => ReferrerList::default(),
        })
    }
}

/// Whether it is the API that refuses, and not the registry that wants to be left alone, or lists too much.
fn is_refusal(error: &UpstreamError) -> bool {
    !matches!(error, UpstreamError::RateLimited { .. } | UpstreamError::TooLarge { .. } | UpstreamError::TooMany { .. })
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
